"""tools/torture.py: a few of its trials, each once."""

import subprocess
import sys

from tests.tiny import ROOT


def test_trials_of_seconds_succeed():
    tool = [sys.executable, str(ROOT / 'tools/torture.py')]
    # With this seed, one kill in the second half of the run.
    tool += ['kill', 'corrupt', 'archives', '--times', '1', '--seed', '109']
    done = subprocess.run(tool, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'ended after' in done.stdout
    assert 'corrupt: 1 times' in done.stdout
    assert 'archives: 22 times refused' in done.stdout
