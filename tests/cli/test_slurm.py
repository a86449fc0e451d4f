"""tools/slurm_train.sh with fake Slurm commands."""

import os
import subprocess

import pytest

from tests.tiny import ROOT

SRUN = """#!/bin/sh
echo "$@" >> "$CALLS"
exit "$(sed -n "$(wc -l < "$CALLS")p" "$STATUSES")"
"""
SCONTROL = """#!/bin/sh
echo "scontrol $@" >> "$CALLS"
"""


@pytest.mark.parametrize(
    ('statuses', 'env', 'status', 'calls'),
    [
        ([0], {}, 0, ['']),
        ([1], {}, 1, ['']),
        ([130], {}, 130, ['']),  # Ctrl-C
        ([75, 75, 0], {}, 0, ['', '--resume', '--resume']),
        ([75], dict(SLURM_JOB_ID='7'), 75, ['', 'scontrol requeue 7']),
        ([0], dict(SLURM_JOB_ID='7', SLURM_RESTART_COUNT='1'), 0, ['--resume']),
    ],
)
def test_a_saved_run_is_requeued(statuses, env, status, calls, tmp_path):
    for name, text in dict(srun=SRUN, scontrol=SCONTROL).items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    (tmp_path / 'statuses').write_text('\n'.join(map(str, statuses)) + '\n')
    clean = {k: v for k, v in os.environ.items() if not k.startswith('SLURM')}
    done = subprocess.run(
        ['bash', str(ROOT / 'tools/slurm_train.sh'), 'gpu', 'job', 'config.py', 'dir',
         '--cfg-options', 'a=1'],
        env=dict(clean, PATH=f'{tmp_path}:{os.environ["PATH"]}', **env,
                 CALLS=str(tmp_path / 'calls'), STATUSES=str(tmp_path / 'statuses')),
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == status, done.stderr
    lines = (tmp_path / 'calls').read_text().splitlines()
    assert len(lines) == len(calls)
    for line, expected in zip(lines, calls, strict=True):
        if expected.startswith('scontrol'):
            assert line == expected
        else:
            assert '--launcher slurm --cfg-options a=1' in line
            assert line.endswith('a=1 --resume' if expected else 'a=1')
