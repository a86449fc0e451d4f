"""tools/torture.py: a few of its trials."""

import subprocess
import sys

from tests.tiny import ROOT


def test_a_killed_run_ends_as_an_untouched_one():
    tool = [sys.executable, str(ROOT / 'tools/torture.py')]
    tool += ['kill', 'corrupt', 'archives', '--times', '4']
    done = subprocess.run(tool, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'ended after' in done.stdout
    assert 'corrupt: 4 times' in done.stdout
    assert 'archives: 22 times refused' in done.stdout
