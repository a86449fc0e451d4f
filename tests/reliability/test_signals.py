"""Signals: the first one saves and ends the run, a second one ends it at once."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from torch.multiprocessing import ProcessExitedException
from torch.utils.data import DataLoader

import bootmae_main
from bootmae_plugin.reliability import Interrupted, InterruptHook
from bootmae_plugin.reliability.signals import end_workers
from tests.processes import run_in_fork, train_in_two
from tests.reliability.resuming import assert_same, losses
from tests.tiny import ROOT, run_tool, tiny_options

CONFIG = f"""
_base_ = {str(ROOT / 'configs/selfsup/bootmae_deit-tiny_digits.py')!r}
custom_imports = dict(imports=['bootmae_plugin', 'hurt'])
custom_hooks = [dict(type='HurtHook')]
"""
# In a file of its own, as the processes of a launcher import it.
HURT = """
import os
import signal
import time
from mmengine import dist
from mmengine.hooks import Hook
from mmpretrain.registry import HOOKS
@HOOKS.register_module()
class HurtHook(Hook):
    def before_train_iter(self, runner, batch_idx, data_batch=None):
        iteration, number, whom = os.environ.get('HURT', '0 0 me').split()
        if dist.get_rank() == 1 and runner.iter + 1 == int(iteration):
            os.kill(os.getpid() if whom == 'me' else os.getppid(), int(number))
            time.sleep(0 if whom == 'me' else 3)  # the launcher passes it on
"""


@pytest.mark.parametrize(
    ('name', 'code'), [('SIGTERM', 75), ('SIGUSR1', 75), ('SIGINT', 130)]
)
def test_each_signal_has_its_exit_status(name, code, tmp_path):
    stopped = Interrupted(getattr(signal, name), tmp_path / 'interrupted.pth')
    assert stopped.code == code
    assert str(stopped).startswith(f'stopped by {name}, saved as {tmp_path}')


@pytest.mark.parametrize(('signals', 'code'), [(1, 0), (2, 128 + signal.SIGTERM)])
def test_a_second_signal_leaves_at_once(signals, code):
    before = signal.getsignal(signal.SIGTERM)
    pid = os.fork()
    if pid == 0:
        hook = InterruptHook()
        hook.listen()
        for _ in range(signals):
            os.kill(os.getpid(), signal.SIGTERM)
        os._exit(0 if hook.signal == signal.SIGTERM else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == code
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize(('name', 'code'), [('SIGTERM', 75), ('SIGINT', 130)])
def test_before_the_training_there_is_nothing_to_save(
    name, code, tmp_path, monkeypatch
):
    """Here while the config is read, which is code."""

    def train(config):
        # A shell's background job ignores SIGINT, and its children inherit that.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        bootmae_main.run_module('bootmae_plugin.cli.train', [config])

    folder = tmp_path / 'folder'
    folder.mkdir()
    monkeypatch.chdir(folder)
    number = int(signal.Signals[name])
    # Older mmengines read a config with an import statement in another way.
    Path('config.py').write_text(
        f"(o := __import__('os')).kill(o.getpid(), {number})\n"
    )
    log = tmp_path / 'log.txt'
    assert run_in_fork(log, train, 'config.py') == code, log.read_text()
    assert 'Traceback' not in log.read_text()
    assert [path.name for path in folder.iterdir()] == ['config.py']


def test_handlers_are_given_back():
    before = [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)]
    hook = InterruptHook()
    hook.listen()
    assert signal.getsignal(signal.SIGTERM) != before[0]
    hook.release()
    assert [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)] == before


def test_two_processes_one_signalled_then_one_killed(tmp_path, monkeypatch):
    """2 epochs of 20 iterations; what one process gets, both have to act on."""
    (tmp_path / 'hurt.py').write_text(HURT)
    (tmp_path / 'config.py').write_text(CONFIG)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, 'hurt', raising=False)
    options = [
        *(word for word in tiny_options() if 'indices' not in word),
        'train_dataloader.dataset.source.indices=640',
        'train_cfg.max_epochs=2',
        'default_hooks.logger.interval=1',
        'optim_wrapper.type=OptimWrapper',
        'train_dataloader.num_workers=1',
        'train_dataloader.persistent_workers=True',
    ]

    def words(work_dir, *arguments):
        return '--work-dir', str(work_dir), *arguments, '--cfg-options', *options

    def fork(work_dir, *arguments, hurt='0 0 me'):
        monkeypatch.setenv('HURT', hurt)
        train_in_two(tmp_path / 'config.py', *words(work_dir, *arguments))

    def launch(work_dir, *arguments, hurt):
        return subprocess.run(
            ['bash', str(ROOT / 'tools/dist_train.sh'), str(tmp_path / 'config.py'),
             '2', *words(work_dir, *arguments)],
            env=dict(os.environ, PYTHONPATH=str(tmp_path), PYTHON=sys.executable,
                     HURT=hurt),
            capture_output=True, text=True, timeout=300,
        )  # fmt: skip

    whole, cut = tmp_path / 'whole', tmp_path / 'cut'
    fork(whole)
    with pytest.raises(ProcessExitedException) as ended:
        fork(cut, hurt=f'3 {int(signal.SIGUSR1)} me')
    assert ended.value.exit_code == 75
    assert (cut / 'last_checkpoint').read_text() == 'interrupted.pth'
    # The processes ask each other every 10 iterations.
    assert losses(cut) == losses(whole)[:10]
    alone = shutil.copytree(cut, tmp_path / 'alone')
    monkeypatch.setenv('HURT', '0 0 me')
    run_tool('train.py', tmp_path / 'config.py', *words(alone, '--resume'))
    log = max(alone.glob('*/*.log')).read_text()
    assert 'resumed on 1 processes a run of 2: it continues, but not' in log
    # Half of the first epoch's 40 iterations are done.
    assert losses(alone, 'iter') == [*range(1, 11), *range(21, 81)]
    # To all processes, also the workers of the data loaders.
    done = launch(cut, '--resume', hurt=f'13 {int(signal.SIGTERM)} launcher')
    assert done.returncode == 75, done.stdout + done.stderr
    assert 'stopped by SIGTERM, saved as' in done.stderr
    assert losses(cut) == losses(whole)[:20]
    with pytest.raises(ProcessExitedException):  # of the launcher: tests/cli
        fork(cut, '--resume', hurt=f'27 {int(signal.SIGKILL)} me')
    fork(cut, '--resume')
    assert_same(cut / 'epoch_2.pth', whole / 'epoch_2.pth')
    # Iterations 21 and later were done twice.
    assert losses(cut)[-20:] == losses(whole)[-20:]


# --- Workers of a data loader

PROGRAM = f"""
import multiprocessing, subprocess, sys
sys.path.insert(0, {str(ROOT)!r})
from torch.utils.data import DataLoader
from bootmae_plugin.reliability.signals import protect_workers

def init(worker_id):
    print('began', worker_id, flush=True)

kept = []  # as where a traceback holds them: still there when the program ends
for start in ['fork', 'spawn'] if __name__ == '__main__' else []:
    loader = DataLoader(
        range(8), num_workers=1, persistent_workers=True, prefetch_factor=1,
        worker_init_fn=init, multiprocessing_context=start,
    )
    protect_workers(loader)
    batches = iter(loader)
    kept.append(batches)
    seen = [int(next(batches))]
    for child in multiprocessing.active_children():
        subprocess.run(['kill', str(child.pid)], check=True)
    seen += map(int, batches)
    print(start, seen)
"""


def test_a_worker_outlives_sigterm_and_ends_with_the_program(tmp_path):
    program = tmp_path / 'program.py'
    program.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', str(program)],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('began 0') == 2
    for start in ('fork', 'spawn'):
        assert f'{start} {list(range(8))}' in done.stdout
    assert 'Traceback' not in done.stderr


def test_ending_workers():
    loader = DataLoader(range(4), num_workers=1, persistent_workers=True)
    next(iter(loader))
    (worker,) = loader._iterator._workers
    end_workers(loader)
    assert not worker.is_alive()
    for nothing in (None, DataLoader(range(4)), loader):
        end_workers(nothing)
