"""The hook that saves checkpoints and removes the outdated ones afterwards."""

import contextlib
import copy
from collections.abc import Iterator
from pathlib import Path

from mmengine import dist
from mmengine.hooks import CheckpointHook
from mmengine.logging import MessageHub, print_log
from mmpretrain.registry import HOOKS

from ..checkpoints.write import CannotWrite
from ..errors import check
from .work_dir import INTERRUPTED, name_newest

OUTDATED = 'outdated_checkpoints'  # in the message hub, and so in every checkpoint
# What mmengine's hook notes about a checkpoint before it has been saved.
NOTES = ('best_ckpt_path', 'best_ckpt_path_dict', 'keep_ckpt_ids', 'last_ckpt')


class RemoveLater:
    """File backend that only notes which checkpoints are to be removed.

    mmengine's hook removes an outdated checkpoint before it saves the new one.

    Args:
        backend: mmengine's file backend, for everything else.
        folder: The run's own folder: a work dir may be the copy of another one, whose
            checkpoints stay.
        hub: Gets the names, so that a run which is killed before it removes them does
            so after resuming.
    """

    def __init__(self, backend, folder: str, hub: MessageHub) -> None:
        self.backend, self.folder, self.hub = backend, folder, hub
        self.names: list[str] = []

    def __getattr__(self, name: str):
        return getattr(self.backend, name)

    def _own(self, path: str) -> str:
        return self.backend.join_path(self.folder, Path(path).name)

    def isfile(self, path: str) -> bool:
        return self.backend.isfile(self._own(path))

    def remove(self, path: str) -> None:
        self.names.append(Path(path).name)
        self.hub.update_info(OUTDATED, [*self.names])

    def remove_noted(self) -> None:
        """Remove what was noted."""
        while self.names:
            path = self._own(self.names.pop())
            if dist.is_main_process() and self.backend.isfile(path):
                self.backend.remove(path)
        self.hub.update_info(OUTDATED, [])


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """mmengine's CheckpointHook; an outdated file is removed once the new one is there.

    ``last_checkpoint``, which names the new one, is replaced atomically.

    Args:
        on_error: 'stop' the run if a checkpoint cannot be written, as on a full disk,
            or 'continue' with a warning. The one before stays in both cases. (A
            ``stage_k.pth`` that cannot be written always stops.) Defaults to 'stop'.
        **kwargs: See mmengine's ``CheckpointHook`` (interval, max_keep_ckpts,
            save_best, ...).
    """

    def __init__(self, *args, on_error: str = 'stop', **kwargs) -> None:
        check(
            on_error in ('stop', 'continue'),
            f"unknown on_error={on_error!r}: choose 'stop' or 'continue'",
        )
        self.on_error = on_error
        super().__init__(*args, **kwargs)
        # mmengine would pass them on, and fail at the first save.
        check(not self.args, f'SafeCheckpointHook has no option {[*self.args]}')

    def before_train(self, runner) -> None:
        super().before_train(runner)
        hub = runner.message_hub
        self.file_backend = RemoveLater(self.file_backend, self.out_dir, hub)
        self.file_backend.names = [*hub.runtime_info.get(OUTDATED, [])]
        self.file_backend.remove_noted()

    def _save_checkpoint_with_step(self, runner, step: int, meta: dict) -> None:
        # A private name of mmengine: its own version writes last_checkpoint in place.
        name = self.filename_tmpl.format(step)
        path = self.file_backend.join_path(self.out_dir, name)
        with self._undone_if_it_fails(runner):
            if self.max_keep_ckpts > 0 and step not in self.keep_ckpt_ids:
                if len(self.keep_ckpt_ids) == self.max_keep_ckpts:
                    oldest = self.keep_ckpt_ids.popleft()
                    self.file_backend.remove(self.filename_tmpl.format(oldest))
                self.keep_ckpt_ids.append(step)
                runner.message_hub.update_info('keep_ckpt_ids', [*self.keep_ckpt_ids])
            self.last_ckpt = path
            runner.message_hub.update_info('last_ckpt', path)
            runner.save_checkpoint(
                self.out_dir,
                name,
                self.file_client_args,
                save_optimizer=self.save_optimizer,
                save_param_scheduler=self.save_param_scheduler,
                meta=meta,
                by_epoch=self.by_epoch,
                backend_args=self.backend_args,
            )
            name_newest(runner, Path(path))
            if dist.is_main_process():
                (Path(runner.work_dir) / INTERRUPTED).unlink(missing_ok=True)

    def after_val_epoch(self, runner, metrics: dict) -> None:
        """Save the best checkpoint; see mmengine."""
        with self._undone_if_it_fails(runner):
            super().after_val_epoch(runner, metrics)

    @contextlib.contextmanager
    def _undone_if_it_fails(self, runner) -> Iterator[None]:
        """Restore all notes if a checkpoint cannot be written, else remove old ones."""
        info, notes = runner.message_hub.runtime_info, vars(self)
        info_before = dict(info)
        notes_before = {key: copy.copy(notes[key]) for key in NOTES if key in notes}
        try:
            yield
        except CannotWrite as error:
            info.clear()
            info.update(info_before)
            notes.update(notes_before)
            self.file_backend.names.clear()
            if self.on_error == 'stop':
                raise
            print_log(f'not saved, training goes on: {error}', 'current', level=30)
        else:
            self.file_backend.remove_noted()
