"""Treat runs badly, and see that nothing is lost: kill -9, broken checkpoints.

    python tools/torture.py                                 # both trials, minutes
    python tools/torture.py kill --times 100
    python tools/torture.py corrupt --times 200

kill: a pretraining of four stages on the digits is killed at random moments, some
within the writing of a checkpoint, and resumed each time until it ends; it has to end
with the weights, the teacher, the optimiser and the random state of a run that nobody
touched. corrupt: the newest checkpoint is truncated or has a bit flipped at a random
place; it has to be read as it was, or be refused with one line. Status 1 if a trial
failed.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from _common import run

CONFIG = 'configs/selfsup/bootmae_deit-tiny_digits.py'
COMPARED = ('state_dict', 'optimizer', 'param_schedulers', 'random_states', 'position')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('trials', nargs='*', help=f'of {[*TRIALS]} (default: all)')
    parser.add_argument('--times', type=int, default=100, help='default: 100')
    parser.add_argument('--seed', type=int, default=0, help='of kills and places')
    parser.add_argument('--debug', action='store_true', help='show tracebacks')
    return parser.parse_args()


def config(work_dir: Path):
    from mmengine.config import Config

    cfg = Config.fromfile(Path(__file__).resolve().parents[1] / CONFIG)
    cfg.merge_from_dict(
        {
            'model.backbone.arch': dict(embed_dims=24, num_layers=2, num_heads=2),
            'model.neck': dict(embed_dims=24, depth=1, num_heads=2),
            'train_dataloader.dataset.source.indices': 512,
            'train_cfg.max_epochs': 8,
            'default_hooks.bootstrap.num_stages': 4,
        }
    )
    cfg.work_dir, cfg.resume = str(work_dir), True
    cfg.runner_type, cfg.launcher = 'mmpretrain.PluginRunner', 'none'
    return cfg


def start(work_dir: Path) -> int:
    """The run, gone on with in a process of its own; its number."""
    pid = os.fork()
    if pid:
        return pid
    import torch
    from mmpretrain.registry import RUNNERS

    status = 1
    try:
        log = os.open(f'{work_dir}.log', os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        torch.set_num_threads(1)
        RUNNERS.build(config(work_dir)).train()
        status = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(status)


def ended(pid: int) -> int | None:
    """Exit status of a process, None while it runs."""
    done, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if done else None


def kill(pid: int, work_dir: Path, seconds: float, saving: bool) -> int | None:
    """Kill a run after some seconds, or from then on in its next save; its status."""
    due = time.monotonic() + seconds
    while (status := ended(pid)) is None:
        late = time.monotonic() >= due
        if late and (not saving or any(work_dir.glob('.*.partial'))):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return None
        time.sleep(0 if late else 0.0002)  # a save takes milliseconds
    return status


def last_line(work_dir: Path) -> str:
    return Path(f'{work_dir}.log').read_text().rstrip().splitlines()[-1]


def same(a, b) -> bool:
    import torch

    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b


def check_ending(expected: Path, work_dir: Path) -> list[str]:
    """What differs between the checkpoints that two runs left."""
    from bootmae_plugin.models.pretrained import read_checkpoint

    wrong = []
    for path in sorted(expected.glob('*.pth')):
        if not (work_dir / path.name).exists():
            wrong.append(f'{path.name} is missing')
            continue
        ours, theirs = read_checkpoint(work_dir / path.name), read_checkpoint(path)
        wrong += [f'{path.name}: {k}' for k in COMPARED if not same(ours[k], theirs[k])]
    return wrong


def trial_kill(folder: Path, times: int, draw: random.Random) -> list[str]:
    reference = folder / 'untouched'
    began = time.monotonic()
    if kill(start(reference), reference, 1e9, False) != 0:
        return [f'the untouched run failed: {last_line(reference)}']
    length = time.monotonic() - began
    wrong, kills, within, runs = [], 0, 0, 0
    while kills < times:
        work_dir = folder / f'run_{runs}'
        while True:
            saving = draw.random() < 1 / 3
            status = kill(start(work_dir), work_dir, draw.uniform(0, length), saving)
            if status is not None:
                break
            kills, within = kills + 1, within + any(work_dir.glob('.*.partial'))
        runs += 1
        if status != 0:
            return [*wrong, f'a resumed run failed: {last_line(work_dir)}']
        wrong += [f'run {runs}: {what}' for what in check_ending(reference, work_dir)]
        print(f'{runs} runs, {kills} kills, {within} in a save; wrong: {wrong}')
        shutil.rmtree(work_dir)
    print(f'kill: {runs} runs ended after {kills} kills, {within} within a save')
    return wrong


def trial_corrupt(folder: Path, times: int, draw: random.Random) -> list[str]:
    from bootmae_plugin.engine.checkpoints import newest_checkpoint
    from bootmae_plugin.errors import UserError
    from bootmae_plugin.models.pretrained import read_checkpoint

    work_dir = folder / 'corrupt'
    if kill(start(work_dir), work_dir, 1e9, False) != 0:
        return [f'the run failed: {last_line(work_dir)}']
    newest = newest_checkpoint(work_dir)
    whole, content = newest.read_bytes(), read_checkpoint(newest)
    wrong, refused = [], 0
    for i in range(times):
        broken = bytearray(whole)
        place = draw.randrange(len(whole))
        if i % 2:
            broken[place] ^= 1 << draw.randrange(8)
        else:
            del broken[place:]
        newest.write_bytes(broken)
        what = f'{"bit" if i % 2 else "cut"} at {place}'
        try:
            read = read_checkpoint(newest)
            if any(not same(read[key], content[key]) for key in COMPARED):
                wrong.append(f'{what}: read, but not as it was')
        except UserError as error:
            refused += 1
            if '\n' in str(error) or newest_checkpoint(work_dir) == newest:
                wrong.append(f'{what}: not one line, or resumed from')
        except Exception as error:
            wrong.append(f'{what}: {type(error).__name__}')
        if newest.read_bytes() != broken:
            wrong.append(f'{what}: the file was changed')
    print(f'corrupt: {times} times, {refused} refused, the others read as they were')
    return wrong


TRIALS = dict(kill=trial_kill, corrupt=trial_corrupt)


def main(args: argparse.Namespace) -> None:
    import logging

    import bootmae_plugin  # noqa: F401
    from bootmae_plugin.errors import UserError, check

    names = args.trials or list(TRIALS)
    for name in names:
        check(name in TRIALS, f'unknown trial {name!r}: choose of {[*TRIALS]}')
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            wrong = TRIALS[name](Path(folder), args.times, random.Random(args.seed))
            if wrong:
                raise UserError(f'{name}: {len(wrong)} wrong, first: {wrong[0]}')


if __name__ == '__main__':
    run(main, parse_args())
