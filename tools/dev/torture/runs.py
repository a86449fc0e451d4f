"""Kill runs: at random moments, and at each moment of a stage switch."""

import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

CONFIG = 'configs/selfsup/bootmae_deit-tiny_digits.py'
COMPARED = ('state_dict', 'optimizer', 'param_schedulers', 'random_states', 'position')


def config(work_dir: Path):
    """Return the config of a run of seconds: four stages of two epochs."""
    from mmengine.config import Config

    cfg = Config.fromfile(Path(__file__).resolve().parents[3] / CONFIG)
    cfg.merge_from_dict(
        {
            'model.backbone.arch': dict(embed_dims=24, num_layers=2, num_heads=2),
            'model.neck': dict(embed_dims=24, depth=1, num_heads=2),
            'train_dataloader.dataset.source.indices': 512,
            'train_cfg.max_epochs': 8,
            'default_hooks.bootstrap.num_stages': 4,
            # stage_1.pth is reduced to its weights, stage_2.pth stays for comparison.
            'default_hooks.bootstrap.keep_stages': 3,
            'optim_wrapper.accumulative_counts': 3,  # of 8 an epoch: over its end
        }
    )
    cfg.work_dir, cfg.resume = str(work_dir), True
    cfg.runner_type, cfg.launcher = 'mmpretrain.PluginRunner', 'none'
    return cfg


def start(work_dir: Path, moment: str | None = None, log: Path | None = None) -> int:
    """Start or resume the run in a fork of this process; return its process id.

    Args:
        work_dir: Its work dir.
        moment: Where it kills itself, see :func:`die_at`. Default: nowhere.
        log: Gets its output. Default: ``work_dir`` with the suffix ``.log``.
    """
    # Before the fork, so that all runs share what takes seconds to import.
    import sklearn.datasets  # noqa: F401
    import torch
    from mmpretrain.registry import RUNNERS

    cfg = config(work_dir)
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        log = log or f'{work_dir}.log'
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(output, 1)
        os.dup2(output, 2)
        torch.set_num_threads(1)
        if moment is not None:
            die_at(moment)
        RUNNERS.build(cfg).train()
        status = 0
    except SystemExit as interrupted:
        status = interrupted.code
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(status)


def ended(pid: int) -> int | None:
    """Return the exit status of a process, None while it runs."""
    done, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if done else None


def kill(
    pid: int,
    work_dir: Path,
    seconds: float = 1e9,
    saving: bool = False,
    how: int = signal.SIGKILL,
) -> int:
    """Wait for a run to end, or kill it; return its exit status.

    Args:
        pid: Its process id.
        work_dir: Its work dir.
        seconds: Kill it after this time. Default: never.
        saving: From that time on, wait until it writes a checkpoint.
        how: Signal to send.
    """
    due = time.monotonic() + seconds
    while (status := ended(pid)) is None:
        late = time.monotonic() >= due
        if late and (not saving or any(work_dir.glob('.*.partial'))):
            os.kill(pid, how)
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        time.sleep(0 if late else 0.0002)  # a save takes milliseconds
    return status


def last_line(work_dir: Path) -> str:
    """Return the last line of a run's output."""
    return Path(f'{work_dir}.log').read_text().rstrip().splitlines()[-1]


def same(a, b) -> bool:
    """Return whether two nested contents of checkpoints are equal, bit by bit."""
    import torch

    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b


def check_ending(expected: Path, work_dir: Path) -> list[str]:
    """Return what differs between the checkpoints of two runs."""
    from bootmae_plugin.checkpoints.read import read_checkpoint

    wrong = []
    for path in sorted(expected.glob('*.pth')):
        if not (work_dir / path.name).exists():
            wrong.append(f'{path.name} is missing')
            continue
        ours, theirs = read_checkpoint(work_dir / path.name), read_checkpoint(path)
        wrong += [
            f'{path.name}: {k}'
            for k in COMPARED
            if not same(ours.get(k), theirs.get(k))
        ]
    return wrong


def trial_kill(folder: Path, times: int, draw: random.Random) -> list[str]:
    """Kill and resume runs, ``times`` times in all; compare their ends."""
    reference = folder / 'untouched'
    began = time.monotonic()
    if kill(start(reference), reference) != 0:
        return [f'the untouched run failed: {last_line(reference)}']
    length = time.monotonic() - began
    wrong, kills, within, asked, runs = [], 0, 0, 0, 0
    while kills < times:
        work_dir = folder / f'run_{runs}'
        while True:
            saving = draw.random() < 1 / 3
            how = signal.SIGTERM if draw.random() < 1 / 5 else signal.SIGKILL
            seconds = draw.uniform(0, length)
            status = kill(start(work_dir), work_dir, seconds, saving, how)
            if status == -signal.SIGKILL:
                kills, within = kills + 1, within + any(work_dir.glob('.*.partial'))
            elif status in (75, -signal.SIGTERM):  # SIGTERM before the training
                asked += 1
            else:
                break
        runs += 1
        if status != 0:
            return [*wrong, f'a resumed run failed: {last_line(work_dir)}']
        wrong += [f'run {runs}: {what}' for what in check_ending(reference, work_dir)]
        print(f'{runs} runs, {kills} kills, {within} within a save; wrong: {wrong}')
        shutil.rmtree(work_dir)
    print(
        f'kill: {runs} runs ended after {kills} kills, {within} within a save, and '
        f'{asked} times asked to stop'
    )
    return wrong


SWITCH = (
    *('writing stage_1', 'wrote stage_1', 'writing epoch_2', 'wrote epoch_2'),
    *('before the teacher', 'within the teacher', 'after the teacher', 'first step'),
)


def die_at(moment: str) -> None:
    """Make this process kill itself at a moment of the switch to stage 2.

    Args:
        moment: One of ``SWITCH``.
    """
    from bootmae_plugin.models.algorithm import BootMAE
    from bootmae_plugin.reliability import runner
    from bootmae_plugin.targets import StageEncoder

    def kill_in(owner, name: str, before: bool, when) -> None:
        original = getattr(owner, name)

        def killing(*args, **kwargs):
            if before and when(*args):
                os.kill(os.getpid(), signal.SIGKILL)
            result = original(*args, **kwargs)
            if when(*args):
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        setattr(owner, name, killing)

    def is_partial(descriptor: int) -> bool:
        return f'/.{where}.pth' in os.readlink(f'/proc/self/fd/{descriptor}')

    what, _, where = moment.partition(' ')
    if what == 'writing':  # the file exists, under its temporary name
        kill_in(os, 'fsync', True, is_partial)
    elif what == 'wrote':
        kill_in(runner, 'write_whole', False, lambda path, _: path.stem == where)
    elif what == 'within':  # the teacher is copied, the stage is not yet counted
        kill_in(StageEncoder, 'start_stage', False, lambda *_: True)
    elif what == 'first':
        kill_in(BootMAE, 'after_step', True, lambda self, epoch, _: epoch == 2)
    else:
        kill_in(BootMAE, 'start_stage', what == 'before', lambda self, k, _: k == 2)


def trial_switch(folder: Path, times: int, draw: random.Random) -> list[str]:
    """Kill a run at each moment of ``SWITCH``; compare its end and its teacher."""
    from bootmae_plugin.checkpoints.read import read_checkpoint

    reference, wrong = folder / 'untouched', []
    if kill(start(reference), reference) != 0:
        return [f'the untouched run failed: {last_line(reference)}']
    for number, moment in enumerate(SWITCH):
        work_dir = folder / f'run_{number}'
        status = kill(start(work_dir, moment), work_dir)
        if status != -signal.SIGKILL:
            wrong.append(f'{moment}: was not killed ({status})')
            continue
        if kill(start(work_dir), work_dir) != 0:
            wrong.append(f'{moment}: resuming failed: {last_line(work_dir)}')
            continue
        wrong += [f'{moment}: {what}' for what in check_ending(reference, work_dir)]
        # The teacher of stage 2 must be the student in stage_1.pth.
        first = read_checkpoint(work_dir / 'stage_1.pth')['state_dict']
        second = read_checkpoint(work_dir / 'stage_2.pth')['state_dict']
        teacher, student = 'target_generator.encoder.', 'backbone.'
        pairs = [
            (first[student + key.removeprefix(teacher)], value)
            for key, value in second.items()
            if key.startswith(teacher)
        ]
        if not pairs or not all(same(a, b) for a, b in pairs):
            wrong.append(f'{moment}: the teacher is not the student of stage 1')
    print(f'switch: killed at {len(SWITCH)} moments of it; wrong: {wrong}')
    return wrong
