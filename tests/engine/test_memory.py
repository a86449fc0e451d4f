"""Freed memory is kept: the next step reuses its pages without page faults."""

import os
import platform
import subprocess
import sys

import pytest
import torch

from bootmae_plugin.engine import memory

STEPS = f"""
import importlib.util, resource, sys, torch
# The file alone: the package imports the framework, which takes seconds.
spec = importlib.util.spec_from_file_location('memory', {memory.__file__!r})
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
keep_freed_memory = module.keep_freed_memory
kept = keep_freed_memory() if sys.argv[1] == 'keep' else None
torch.set_num_threads(1)
def step():
    return sum(torch.ones(10_000_000).sum() for _ in range(5))
faults = []
for _ in range(6):  # the first steps still allocate
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    step()
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(kept, min(faults))
"""


def run(argument):
    names = ('MALLOC_', 'GLIBC_TUNABLES', 'LD_PRELOAD')
    clean = {k: v for k, v in os.environ.items() if not k.startswith(names)}
    words = [sys.executable, '-W', 'ignore', '-c', STEPS, argument]
    done = subprocess.run(words, env=clean, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    kept, faults = done.stdout.split()[-2:]
    return kept, int(faults)


keeps = pytest.mark.skipif(
    platform.libc_ver()[0] != 'glibc' or torch.cuda.is_available(),
    reason='only glibc without a GPU keeps freed memory',
)


@keeps
def test_a_step_reuses_the_pages_of_the_step_before():
    kept, faults = run('keep')
    _, usual = run('leave')
    assert kept == 'True'
    # 5 tensors of 40 MB in pages of 4 KiB (or 2 MiB); kept pages cause no fault.
    assert faults < 20 < usual


@keeps
def test_the_settings_of_the_user_stay(monkeypatch):
    for name in os.environ:
        if name.startswith(memory.USER_SETTINGS):
            monkeypatch.delenv(name)
    assert memory.keep_freed_memory()
    monkeypatch.setenv('MALLOC_ARENA_MAX', '2')
    assert not memory.keep_freed_memory()
