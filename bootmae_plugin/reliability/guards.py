"""What our runners share: a guarded work dir, whole checkpoints, exact resume."""

import contextlib
import errno
import functools
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from mmengine import dist
from mmengine.logging import print_log
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from ..checkpoints.read import read_checkpoint
from ..checkpoints.safe_loaders import register_safe_loaders
from ..checkpoints.write import write_whole
from ..engine.memory import keep_freed_memory
from ..engine.progress import ProgressHook
from ..errors import UserError, check
from .checkpoint_hook import newest_checkpoint, together
from .finite import check_finite
from .loops import exact
from .rescale import base_rates
from .resume import ExactResumeHook
from .signals import InterruptHook
from .work_dir import guard_work_dir, held, is_own
from .workers import end_workers, leave_signals_to_the_run

FULL = (errno.ENOSPC, errno.EDQUOT)  # a full disk, or a full quota


class GuardedRunner:
    """In front of mmengine's Runner or FlexibleRunner.

    * a work dir that holds another experiment, or this one unfinished, is refused
      before anything is written;
    * nothing is unpickled in this process, also not by what mmengine loads;
    * config and checkpoints are written whole, or not at all;
    * a run resumes from its newest whole checkpoint, exactly, also within an epoch;
    * a signal ends it with a checkpoint.
    """

    resumes_by_name = True  # so last_checkpoint needs no path, see name_newest

    def __init__(self, model, work_dir, **kwargs) -> None:
        guard_work_dir(kwargs.get('cfg'), Path(work_dir))
        register_safe_loaders()
        keep_freed_memory()
        super().__init__(model, work_dir=work_dir, **kwargs)
        self._exact, self._interruption = ExactResumeHook(), InterruptHook()
        for hook in (ProgressHook(), self._exact, self._interruption):
            self.register_hook(hook)

    def train(self):
        """As in mmengine; a signal ends it with a checkpoint.

        Raises:
            Interrupted: a ``SystemExit``, once that is saved.
            UserError: also where another run is at work in the work dir, or another
                process of this one has died.
        """
        try:
            with held(Path(self.work_dir)), dead_peers_named():
                return super().train()
        finally:
            self._interruption.release()
            for loop in (self._train_loop, self._val_loop):
                end_workers(getattr(loop, 'dataloader', None))

    @staticmethod
    def build_dataloader(*args, **kwargs) -> DataLoader:
        """As in mmengine, with workers that a signal does not end."""
        loader = Runner.build_dataloader(*args, **kwargs)
        leave_signals_to_the_run(loader)
        return loader

    def build_train_loop(self, loop):
        """As in mmengine, with loops that resume exactly."""
        return super().build_train_loop(exact(loop) if isinstance(loop, dict) else loop)

    def build_visualizer(self, *args, **kwargs):
        """As in mmengine; what a full disk does not take of the log is left out."""
        visualizer = super().build_visualizer(*args, **kwargs)
        visualizer.add_scalars = unless_full(visualizer.add_scalars)
        return visualizer

    def dump_config(self) -> None:
        """As in mmengine; a resumed run is compared with it."""
        if dist.is_main_process():
            name = Path(self.cfg.filename or f'{self.timestamp}.py').name
            path, text = Path(self.work_dir) / name, self.cfg.dump()
            if not is_own(path, self.cfg):  # the user's file stays as he wrote it
                write_whole(path, lambda path: path.write_text(text))

    def save_checkpoint(self, out_dir, filename, *args, **kwargs) -> None:
        """As in mmengine, whole or not at all, with what makes resuming exact.

        Raises:
            UserError: on every process, if it cannot be written or a weight is not
                finite.
        """
        check_finite(self.model, self.optim_wrapper)
        self._exact.gather(self)
        path, save = Path(out_dir) / filename, super().save_checkpoint

        def write(path: Path) -> None:
            save(str(path.parent), path.name, *args, **kwargs)

        def write_here() -> None:
            if dist.is_main_process():
                write_whole(path, write)
            else:  # where weights are sharded it takes part in gathering them
                write(path)

        together(write_here)

    def load_or_resume(self) -> None:
        """As in mmengine, from the newest checkpoint that can be read."""
        rates = base_rates(self)
        if self._load_from is not None:
            read_checkpoint(self._load_from)  # one clear line where it is damaged
            super().load_or_resume()
        elif self._resume and not self._has_loaded:
            newest = the_same_newest(self.work_dir)
            if newest is not None:
                self.logger.info(f'resumed from {newest}')
                self.resume(newest)
                self._has_loaded = True
        if self.iter:
            self._exact.go_on(self, rates)


def the_same_newest(work_dir: str) -> str | None:
    """The first process looks for it: others may see another state of the folder.

    Raises:
        UserError: on every process, if all checkpoints are broken.
    """
    found = [None, None]
    if dist.is_main_process():
        try:
            newest = newest_checkpoint(work_dir)
            found[0] = None if newest is None else str(newest)
        except UserError as error:
            found[1] = str(error)
    dist.broadcast_object_list(found)
    newest, error = found
    check(error is None, error)
    return newest


def unless_full(write: Callable) -> Callable:
    """``write``, which warns once where the disk is full, instead of raising."""
    said = False

    @functools.wraps(write)
    def tried(*args, **kwargs) -> None:
        nonlocal said
        try:
            write(*args, **kwargs)
        except OSError as error:
            if error.errno not in FULL:
                raise
            if not said:
                print_log(f'losses are not logged: {error}', 'current', level=30)
            said = True

    return tried


# What torch says where the other end of a connection is gone.
GONE = re.compile(
    'closed by peer|reset by peer|Broken pipe|remote process exited|Connection refused'
)


@contextlib.contextmanager
def dead_peers_named() -> Iterator[None]:
    """Turn what torch raises when another process is gone into one line."""
    try:
        yield
    except RuntimeError as error:
        if dist.get_world_size() == 1 or not GONE.search(str(error)):
            raise
        raise UserError(
            'another process of this run has ended, so this one stops, too: see what '
            'that one says; --resume goes on from the last checkpoint'
        ) from error
