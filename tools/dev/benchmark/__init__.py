"""Compare the speed of this plugin with its peers (``tools/benchmark.py``)."""
