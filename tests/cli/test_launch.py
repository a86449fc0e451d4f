"""The launcher of several processes: one line for a failure, whichever fails first."""

import os
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest

from bootmae_plugin.cli import launch
from tests.processes import run_in_fork
from tests.tiny import ROOT

PRETRAIN = str(ROOT / 'configs/selfsup/bootmae_deit-tiny_digits.py')
FOLDER = str(ROOT / 'configs/selfsup/bootmae_deit-tiny_folder.py')
# As tools/train.py behaves where both processes find the same mistake, or one of them
# is killed; without the seconds that importing the framework takes.
TOOL = """
import json, os, sys, time
rank = int(os.environ['RANK'])
words = sys.argv[sys.argv.index('--cfg-options') + 1].split('=')[1]
failing, how, wait = words.split('-')
if str(rank) in failing:
    if how == 'kill':
        os.kill(os.getpid(), 9)
    time.sleep(float(wait) * rank)
    message = dict(message=f'UserError: rank {rank}: a mistake',
                   extraInfo=dict(py_callstack='', timestamp=int(time.time())))
    with open(os.environ['TORCHELASTIC_ERROR_FILE'], 'w') as file:
        json.dump(dict(message=message), file)
    sys.exit(1)
time.sleep(60)
"""


def start(folder, *words) -> tuple[int, str]:
    """Exit status and output of the launcher in a fork of this process."""
    log = folder / 'log.txt'
    status = run_in_fork(log, launch.main, [str(word) for word in words])
    return status, log.read_text()


@pytest.mark.parametrize(
    ('what', 'line'),
    [
        ('01-tell-0', 'error: rank [01]: a mistake'),
        ('01-tell-0.5', 'error: rank 0: a mistake'),
        ('1-tell-0', 'error: rank 1: a mistake'),
        ('1-kill-0', 'error: process 1 was killed by signal 9, .*'),
    ],
)
def test_a_failure_is_one_line(what, line, tmp_path, monkeypatch):
    (tmp_path / 'train.py').write_text(TOOL)
    monkeypatch.setattr(launch, 'check_inputs', lambda args: None)
    status, text = start(
        tmp_path, '--rdzv-backend=c10d', '--rdzv-endpoint=127.0.0.1:0',
        '--local-addr=127.0.0.1', '--nproc-per-node=2', tmp_path / 'train.py',
        'config.py', '--launcher', 'pytorch', '--cfg-options', f'a={what}',
    )  # fmt: skip
    assert status == 1
    assert re.fullmatch(f'{line}\n', text), text


MESSAGE = dict(message='UserError: a mistake')


@pytest.mark.parametrize(
    ('exits', 'status'),
    [
        # Exit status, message and second of each process.
        ([(-15, MESSAGE, 1), (-9, '', 2)], 'error: process 1 was killed by signal 9'),
        ([(1, MESSAGE, 2), (75, '', 1)], 'error: a mistake'),
        ([(75, '', 1), (-15, MESSAGE, 2)], 'error: a mistake'),
        ([(75, '', 2), (75, '', 1)], 75),
        ([(130, '', 1), (-15, '', 2)], 130),
    ],
)
def test_the_failure_that_caused_the_others_is_reported(exits, status):
    failures = {
        rank: SimpleNamespace(
            local_rank=rank, exitcode=code, message=message, timestamp=second
        )
        for rank, (code, message, second) in enumerate(exits)
    }
    with pytest.raises(SystemExit) as stop:
        launch.exit_with(launch.first_failure(SimpleNamespace(failures=failures)))
    code = stop.value.code
    assert code == status or str(code).startswith(str(status))


@pytest.mark.parametrize(
    ('words', 'text'),
    [
        ([FOLDER], 'error: data folder data/images does not exist: check data_root, or '
         'make it with bootmae data'),
        ([FOLDER, '--cfg-options', 'data_root=nowhere'],
         'error: data folder nowhere does not exist: check data_root, or make it with '
         'bootmae data'),
        ([PRETRAIN, '--cfg-options', 'max_epochs=7'],
         'error: --cfg-options max_epochs: nothing reads it; did you mean '
         'train_cfg.max_epochs?'),
    ],
)  # fmt: skip
def test_inputs_are_checked_before_a_process_is_started(
    words, text, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'train.py').write_text('raise AssertionError("started")')
    command = ['--nproc-per-node=2', tmp_path / 'train.py', *words]
    assert start(tmp_path, *command) == (1, f'{text}\n')


def test_data_that_can_be_downloaded_need_not_be_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    args = launch.importlib.import_module('bootmae_plugin.cli.train').parse_args(
        [str(ROOT / 'configs/selfsup/bootmae_deit-tiny_cifar10.py')]
    )
    args.tool = 'train'
    launch.check_inputs(args)


def test_dist_train_without_the_data(tmp_path):
    done = subprocess.run(
        ['bash', ROOT / 'tools/dist_train.sh', FOLDER, '2'],
        cwd=tmp_path, env=dict(os.environ, PYTHON=sys.executable),
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stdout == ''
    assert re.fullmatch('error: data folder data/images does .*\n', done.stderr)
