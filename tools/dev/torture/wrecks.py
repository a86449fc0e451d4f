"""Lose a process, fill the disk, damage checkpoints."""

import os
import random
import re
import subprocess
import sys
import time
from pathlib import Path

from .runs import COMPARED, check_ending, config, kill, last_line, same, start


def trial_corrupt(folder: Path, times: int, draw: random.Random) -> list[str]:
    """Cut off the newest checkpoint or flip a bit, ``times`` times in all."""
    from bootmae_plugin.checkpoints.read import read_checkpoint
    from bootmae_plugin.errors import UserError
    from bootmae_plugin.reliability.work_dir import read_newest_checkpoint

    work_dir = folder / 'corrupt'
    if kill(start(work_dir), work_dir) != 0:
        return [f'the run failed: {last_line(work_dir)}']
    newest, _ = read_newest_checkpoint(work_dir)
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
            if '\n' in str(error) or read_newest_checkpoint(work_dir)[0] == newest:
                wrong.append(f'{what}: not one line, or resumed from')
        except Exception as error:
            wrong.append(f'{what}: {type(error).__name__}')
        if newest.read_bytes() != broken:
            wrong.append(f'{what}: the file was changed')
    print(f'corrupt: {times} times, {refused} refused, the others read as they were')
    return wrong


PAIR = """
import os
import signal
from mmengine import dist
from mmengine.hooks import Hook
from mmpretrain.registry import HOOKS
@HOOKS.register_module()
class DieHook(Hook):
    def before_train_iter(self, runner, batch_idx, data_batch=None):
        due = int(os.environ.get('DIE_AT', 0))
        if dist.get_rank() == 1 and runner.iter + 1 == due:
            open(os.environ['DIED'], 'w').close()
            os.kill(os.getpid(), signal.SIGKILL)
"""


def trial_pair(folder: Path, times: int, draw: random.Random) -> list[str]:
    """Kill one of two processes three times; resume; compare the ends."""
    tools = Path(__file__).resolve().parents[2]
    (folder / 'die.py').write_text(PAIR)
    cfg = config(folder)
    cfg.optim_wrapper.type = 'OptimWrapper'
    cfg.train_dataloader.update(num_workers=1, persistent_workers=True)
    cfg.custom_imports.imports = ['bootmae_plugin', 'die']
    cfg.custom_hooks = [dict(type='DieHook')]
    cfg.dump(folder / 'config.py')
    died, wrong, longest, iterations = folder / 'died', [], 0.0, 8 * 4

    def pair(work_dir: Path, at: int = 0) -> subprocess.CompletedProcess:
        return subprocess.run(
            ['bash', str(tools / 'dist_train.sh'), str(folder / 'config.py'), '2',
             '--work-dir', str(work_dir), '--resume'],
            env=dict(os.environ, PYTHONPATH=str(folder), PYTHON=sys.executable,
                     DIE_AT=str(at), DIED=str(died)),
            capture_output=True, text=True,
        )  # fmt: skip

    pair(folder / 'untouched')
    for number in range(3):
        work_dir, at = folder / f'run_{number}', draw.randrange(2, iterations)
        done = pair(work_dir, at)
        seconds = time.time() - died.stat().st_mtime
        longest = max(longest, seconds)
        said = [line for line in done.stderr.splitlines() if line.startswith('error')]
        if done.returncode != 1 or not said or 'process 1 was killed' not in said[-1]:
            wrong.append(f'killed at {at}: status {done.returncode}, said {said}')
        if pair(work_dir).returncode != 0:
            wrong.append(f'killed at {at}: resuming failed')
        wrong += check_ending(folder / 'untouched', work_dir)
    print(f'pair: 3 times one of 2 killed, the other ended within {longest:.0f} s')
    return wrong + ['the other took more than a minute'] * (longest > 60)


def trial_full(folder: Path, times: int, draw: random.Random) -> list[str]:
    """Run on filesystems that are too small; resume with more room; compare."""
    from bootmae_plugin.errors import check
    from bootmae_plugin.reliability.work_dir import read_newest_checkpoint

    reference, wrong, lines = folder / 'untouched', [], set()
    if kill(start(reference), reference) != 0:
        return [f'the untouched run failed: {last_line(reference)}']
    disk = folder / 'disk'
    disk.mkdir()
    for kibibytes in range(200, 3000, 350):
        size = f'size={kibibytes}k'
        mount = ['mount', '-t', 'tmpfs', '-o', size, 'tmpfs', str(disk)]
        mounted = subprocess.run(mount, capture_output=True, text=True)
        check(
            mounted.returncode == 0,
            f'full: a small filesystem cannot be mounted ({mounted.stderr.strip()}): '
            'run this trial as root on Linux, or leave it out',
        )
        try:
            work_dir = disk / 'run'
            work_dir.mkdir()
            log = folder / f'log_{kibibytes}'
            status = kill(start(work_dir, log=log), work_dir)
            said = log.read_text().rstrip().splitlines()[-1]
            lines.add(re.sub(r'/\S*/', '', said))
            if status != 1 or 'No space left' not in said:
                wrong.append(f'{size}: status {status}: {said}')
            before = {path: path.read_bytes() for path in work_dir.glob('*.pth')}
            newest = read_newest_checkpoint(work_dir)  # raises where all are broken
            left = [path.name for path in work_dir.glob('.*.partial')]
            if left or (newest is None) != (not before):
                newest = newest and newest[0].name
                wrong.append(f'{size}: left {left}, newest {newest}')
            room = ['mount', '-o', 'remount,size=64m', str(disk)]
            subprocess.run(room, check=True)
            if kill(start(work_dir, log=log), work_dir) != 0:
                wrong.append(f'{size}: resuming failed: {log.read_text()[-300:]}')
            wrong += [f'{size}: {what}' for what in check_ending(reference, work_dir)]
        finally:
            subprocess.run(['umount', str(disk)], check=True)
    print(f'full: filesystems of 200 to 2,650 KiB; the runs said {sorted(lines)}')
    return wrong
