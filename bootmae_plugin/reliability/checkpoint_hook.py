"""Checkpoints that a crash cannot spoil, and the newest good one to resume from."""

import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from mmengine import dist
from mmengine.hooks import CheckpointHook
from mmengine.logging import print_log
from mmpretrain.registry import HOOKS

from ..checkpoints.read import read_checkpoint
from ..checkpoints.strip import is_stripped
from ..checkpoints.write import CannotWrite, write_whole
from ..errors import UserError, check

LAST = 'last_checkpoint'
INTERRUPTED = 'interrupted.pth'  # of a run that was asked to stop


def name_newest(runner, path: Path) -> None:
    """Say in the work dir's ``last_checkpoint`` which checkpoint is the newest."""
    # By its name, so that the work dir can be moved; mmengine's own runner, which some
    # use with our hook, needs the whole path.
    inside = path.parent == Path(runner.work_dir)
    text = path.name if inside and hasattr(runner, 'resumes_by_name') else str(path)
    last = Path(runner.work_dir) / LAST

    def write() -> None:
        if dist.is_main_process():
            write_whole(last, lambda file: file.write_text(text))

    together(write)


def together(work: Callable[[], None]) -> None:
    """Do something on every process; where one cannot write, all say so.

    Raises:
        CannotWrite: on every process.
    """
    failed = None
    try:
        work()
    except CannotWrite as error:
        failed = str(error)
    failed = next(filter(None, dist.all_gather_object(failed)), None)
    if failed is not None:
        raise CannotWrite(failed)


def newest_checkpoint(work_dir: str | Path) -> Path | None:
    """The newest checkpoint that can be read whole; broken ones are named and left.

    Args:
        work_dir: Of the run. ``last_checkpoint`` says which is the newest; the others
            follow by the iteration that is in them, ends of stages included.

    Raises:
        UserError: if there are checkpoints, but all of them are broken.
    """
    broken = []
    for path in _candidates(Path(work_dir)):
        try:
            read_checkpoint(path)
            return path
        except UserError as error:
            print_log(f'not resumed from: {error}', 'current', level=30)
            broken.append(path)
    check(
        not broken,
        f'none of the {len(broken)} checkpoints in {work_dir} can be read: start anew '
        'in another --work-dir',
    )
    return None


def _candidates(work_dir: Path) -> Iterator[Path]:
    """What a run can be resumed from, the newest first."""
    last, named, folders = work_dir / LAST, None, {work_dir}
    if last.is_file():
        path = Path(last.read_text().strip())
        named = work_dir / path.name  # the work dir may have moved
        if path.name != str(path) and not named.is_file():  # in the hook's out_dir
            named = path
            folders |= {path.parent} if path.is_file() else set()
        yield named
    # Seldom needed, so what looks into each of them comes last.
    pattern = re.compile(rf'(epoch|iter|stage)_\d+\.pth|{INTERRUPTED}')
    found = [path for folder in folders for path in folder.glob('*.pth')]
    found = [path for path in found if pattern.fullmatch(path.name) and path != named]
    progress = {path: _progress(path) for path in found}
    resumable = [path for path in found if progress[path] is not None]
    yield from sorted(resumable, key=progress.get, reverse=True)


def _progress(path: Path) -> tuple[float, bool] | None:
    """How far a checkpoint is; one that cannot be read comes first, to be named.

    None: it was reduced to its weights, so no run can be resumed from it.
    """
    try:
        content = read_checkpoint(path, whole=False)
        if is_stripped(content):
            return None
        iteration = content['meta']['iter']
    except (UserError, KeyError, TypeError):
        iteration = float('inf')
    # The regular one of the same iteration is written after that of the stage.
    return iteration, not path.name.startswith('stage')


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """mmengine's CheckpointHook, which removes the old file when the new one is there.

    ``last_checkpoint``, which names it, is replaced whole.

    Args:
        on_error: What happens where one cannot be written, as on a full disk: 'stop',
            or 'continue', which warns and trains on; the one before stays in both
            cases. (``stage_k.pth``, which cannot be made up for, always stops.)
            Defaults to 'stop'.
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
        # mmengine finds out at the first save.
        check(not self.args, f'SafeCheckpointHook has no option {[*self.args]}')

    def before_train(self, runner) -> None:
        super().before_train(runner)
        info = runner.message_hub.runtime_info
        self._remove(info.get('outdated_ckpt'))
        self._remove_best(info.get('outdated_best', ()))

    def _save_checkpoint_with_step(self, runner, step: int, meta: dict) -> None:
        name = self.filename_tmpl.format(step)
        path = self.file_backend.join_path(self.out_dir, name)
        info, outdated = dict(last_ckpt=path), None
        if self.max_keep_ckpts > 0:
            kept = [*(k for k in self.keep_ckpt_ids if k != step), step]
            if len(kept) > self.max_keep_ckpts:
                outdated = kept.pop(0)
            # A run that is killed before it removes the outdated one does so later.
            info.update(keep_ckpt_ids=kept, outdated_ckpt=outdated)
        before = dict(runner.message_hub.runtime_info)
        for key, value in info.items():
            runner.message_hub.update_info(key, value)
        try:
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
            name_newest(runner, Path(path))
        except CannotWrite as error:
            self._go_on_without(error, runner, before)
            return
        self.last_ckpt = path
        if self.max_keep_ckpts > 0:
            self.keep_ckpt_ids = deque(kept, self.max_keep_ckpts)
        if dist.is_main_process():
            (Path(runner.work_dir) / INTERRUPTED).unlink(missing_ok=True)
        self._remove(outdated)

    def _save_best_checkpoint(self, runner, metrics: dict) -> None:
        best, before = self._best, dict(runner.message_hub.runtime_info)
        # mmengine would remove those that it knows before it writes the new ones; a run
        # that is killed before they are removed does so later.
        self._best = [None] * len(best)
        outdated = [Path(path).name for path in best if path]
        runner.message_hub.update_info('outdated_best', outdated)
        try:
            super()._save_best_checkpoint(runner, metrics)
        except CannotWrite as error:
            self._best = best
            self._go_on_without(error, runner, before)
            return
        self._best = [new or old for new, old in zip(self._best, best, strict=True)]
        self._remove_best(outdated)

    @property
    def _best(self) -> list[str | None]:
        """Path of the best checkpoint by each metric of ``save_best``."""
        if not self.save_best:
            return []
        if len(self.key_indicators) == 1:
            return [self.best_ckpt_path]
        return [self.best_ckpt_path_dict[key] for key in self.key_indicators]

    @_best.setter
    def _best(self, paths: list[str | None]) -> None:
        if len(paths) == 1:
            self.best_ckpt_path = paths[0]
        elif paths:
            self.best_ckpt_path_dict = dict(
                zip(self.key_indicators, paths, strict=True)
            )

    def _go_on_without(self, error: CannotWrite, runner, info: dict) -> None:
        """As ``on_error`` says; the hub is as it was before what was not saved."""
        runner.message_hub.runtime_info.clear()
        runner.message_hub.runtime_info.update(info)
        if self.on_error == 'stop':
            raise error
        print_log(f'not saved, training goes on: {error}', 'current', level=30)

    def _remove(self, step: int | None) -> None:
        if step is not None:
            self._remove_file(self.filename_tmpl.format(step))

    def _remove_best(self, names: Sequence[str]) -> None:
        for name in {*names} - {Path(path).name for path in self._best if path}:
            self._remove_file(name)

    def _remove_file(self, name: str) -> None:
        # In this run's own folder, also where the work dir is a copy of another one.
        path = self.file_backend.join_path(self.out_dir, name)
        if dist.is_main_process() and self.file_backend.isfile(path):
            self.file_backend.remove(path)
