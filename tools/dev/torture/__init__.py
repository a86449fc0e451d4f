"""Kill runs and give tools broken or malicious files (``tools/torture.py``).

============  ==========================================================================
``main``      command line
``runs``      a run in a process of its own; killed at random, killed at a stage switch
``wrecks``    a lost process, a full disk, damaged checkpoints
``pickles``   malicious pickles in every place that takes a file
``archives``  malicious archives
============  ==========================================================================

A trial is a function of a scratch folder, a number of times and a random generator. It
returns what went wrong, one string each; an empty list is a success.
"""
