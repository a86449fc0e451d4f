"""Workers of a data loader: a signal does not end them, the end of the program does."""

import subprocess
import sys

import pytest
from torch.utils.data import DataLoader

from bootmae_plugin.reliability.signals import end_workers
from tests.tiny import ROOT

PROGRAM = f"""
import multiprocessing, subprocess, sys
sys.path.insert(0, {str(ROOT)!r})
from torch.utils.data import DataLoader
from bootmae_plugin.reliability.signals import protect_workers

def init(worker_id):
    print('began', worker_id, flush=True)

loader = DataLoader(range(8), num_workers=1, persistent_workers=True, prefetch_factor=1,
                    worker_init_fn=init, multiprocessing_context=sys.argv[1])
if __name__ == '__main__':
    protect_workers(loader)
    batches = iter(loader)
    seen = [int(next(batches))]
    for child in multiprocessing.active_children():
        subprocess.run(['kill', str(child.pid)], check=True)
    seen += map(int, batches)
    print(seen)
    kept = batches  # as where a traceback holds it: still there when the program ends
"""


@pytest.mark.parametrize('start', ['fork', 'spawn'])
def test_a_worker_outlives_sigterm_and_ends_with_the_program(start, tmp_path):
    program = tmp_path / 'program.py'
    program.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', str(program), start],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert 'began 0' in done.stdout
    assert str(list(range(8))) in done.stdout
    assert 'Traceback' not in done.stderr


def test_ending_workers():
    loader = DataLoader(range(4), num_workers=1, persistent_workers=True)
    next(iter(loader))
    (worker,) = loader._iterator._workers
    end_workers(loader)
    assert not worker.is_alive()
    for nothing in (None, DataLoader(range(4)), loader):
        end_workers(nothing)
