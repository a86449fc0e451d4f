"""Kill runs and give tools broken or malicious files (``tools/torture.py``)."""
