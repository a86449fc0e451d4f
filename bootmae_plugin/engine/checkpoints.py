"""Checkpoints that a crash cannot spoil, and the newest good one to resume from."""

import os
import re
from collections.abc import Callable
from pathlib import Path

from mmengine import dist
from mmengine.hooks import CheckpointHook
from mmengine.logging import print_log
from mmpretrain.registry import HOOKS

from ..errors import UserError, check
from ..models.pretrained import read_checkpoint

LAST = 'last_checkpoint'


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Let ``write`` make a file under another name, then give it its own.

    Whenever the process or the machine stops, ``path`` is the old file or the new one.

    Raises:
        UserError: if it cannot be written, as on a full disk; ``path`` is as it was.
    """
    partial = path.with_name(f'.{path.name}.partial')
    try:
        write(partial)
        with open(partial, 'rb') as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except (OSError, RuntimeError) as error:  # torch.save raises the latter
        partial.unlink(missing_ok=True)
        raise UserError(
            f'{path} cannot be written ({error}): make room, and go on with --resume; '
            'the checkpoints before it are intact'
        ) from error
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the new name
    finally:
        os.close(folder)


def newest_checkpoint(work_dir: str | Path) -> Path | None:
    """The newest checkpoint that can be read whole; broken ones are named and left.

    Args:
        work_dir: Of the run. ``last_checkpoint`` says which is the newest; the others
            follow by their number.

    Raises:
        UserError: if there are checkpoints, but all of them are broken.
    """
    work_dir = Path(work_dir)
    numbered = [
        (int(match[1]), path)
        for path in work_dir.glob('*.pth')
        if (match := re.fullmatch(r'(?:epoch|iter)_(\d+)', path.stem))
    ]
    paths = [path for _, path in sorted(numbered, reverse=True)]
    last = work_dir / LAST
    if last.is_file():
        # Its name alone: the work dir may have moved.
        named = work_dir / Path(last.read_text().strip()).name
        paths = [named, *(path for path in paths if path != named)]
    for path in paths:
        try:
            read_checkpoint(path)
            return path
        except UserError as error:
            print_log(f'not resumed from: {error}', 'current', level=30)
    check(
        not paths,
        f'none of the {len(paths)} checkpoints in {work_dir} can be read: start anew '
        'in another --work-dir',
    )
    return None


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """mmengine's CheckpointHook, which removes the old file when the new one is there.

    ``last_checkpoint``, which names it, is replaced whole.

    Args:
        **kwargs: See mmengine's ``CheckpointHook`` (interval, max_keep_ckpts, ...).
    """

    def _save_checkpoint_with_step(self, runner, step: int, meta: dict) -> None:
        outdated = None
        if self.max_keep_ckpts > 0 and step not in self.keep_ckpt_ids:
            if len(self.keep_ckpt_ids) == self.max_keep_ckpts:
                outdated = self.keep_ckpt_ids.popleft()
            self.keep_ckpt_ids.append(step)
            runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))
        name = self.filename_tmpl.format(step)
        self.last_ckpt = self.file_backend.join_path(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        runner.save_checkpoint(
            self.out_dir,
            name,
            self.file_client_args,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        if not dist.is_main_process():
            return
        # The whole path, for mmengine's own runner; ours reads the name alone.
        last = str(self.last_ckpt)
        write_whole(Path(runner.work_dir) / LAST, lambda path: path.write_text(last))
        if outdated is not None:
            old = self.file_backend.join_path(
                self.out_dir, self.filename_tmpl.format(outdated)
            )
            if self.file_backend.isfile(old):
                self.file_backend.remove(old)
