"""The guards of a run, and the runner of our tools."""

import contextlib
import errno
import functools
import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from mmengine import dist
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.runner import BaseLoop, Runner
from mmpretrain.registry import RUNNERS
from torch.utils.data import DataLoader

from ..checkpoints.read import read_checkpoint
from ..checkpoints.safe_loaders import keep_content, register_safe_loaders
from ..checkpoints.write import write_whole
from ..engine.memory import keep_freed_memory
from ..engine.progress import ProgressHook
from ..engine.strict_runner import StrictRunner
from ..errors import UserError
from .budget import BudgetHook
from .config_text import FormattedOnce
from .finite import check_finite
from .loops import with_exact_loop
from .rescale import base_rates
from .resume import ExactResumeHook
from .signals import InterruptHook, protect_workers
from .work_dir import (
    COMPLETE,
    agree_on_newest_checkpoint,
    guard_work_dir,
    is_own,
    lock_work_dir,
    run_on_all_ranks,
)

# What torch raises when the other end of a connection has died.
LOST_PEER = re.compile(
    'closed by peer|reset by peer|Broken pipe|remote process exited|Connection refused'
)
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)  # or a full quota
AUTO = 'auto'  # resume from the newest checkpoint
RUNS = itertools.count()  # of this process


class GuardedRunner:
    """Mixin for mmengine's Runner and FlexibleRunner that guards a run.

    * A work dir that holds another experiment is refused before anything is written.
    * Nothing is unpickled in this process, neither by us nor by mmengine.
    * Config and checkpoints are written completely or not at all.
    * A run resumes exactly from its newest intact checkpoint, also within an epoch. The
      checkpoint is read once.
    * A run that gets a signal saves a checkpoint and ends.
    * Runs that one process starts in the same second are kept apart.

    Args:
        model: Model or its config.
        work_dir: Folder of logs and checkpoints.
        load_from: Checkpoint to load or, with ``resume``, to continue from. It is read
            before anything is built. Defaults to None.
        resume: Continue a run, from ``load_from`` or else from the newest checkpoint of
            the work dir. ``'auto'``: from the newest checkpoint; while there is none,
            start from ``load_from`` as without ``resume``. Defaults to False.
        **kwargs: See mmengine's runners.
    """

    resumes_by_name = True  # last_checkpoint needs no folder, see name_newest

    def __init__(
        self,
        model,
        work_dir: str,
        load_from: str | None = None,
        resume: bool | str = False,
        **kwargs,
    ) -> None:
        guard_work_dir(kwargs.get('cfg'), Path(work_dir))
        register_safe_loaders()
        keep_freed_memory()
        self.origin = None  # where a run without a checkpoint of its own starts
        if resume == AUTO:
            self.origin, load_from = load_from, None
        elif isinstance(resume, str):
            load_from = resume
        self.resuming = bool(resume)
        # Name and content of the checkpoint to start from; read once, before all else.
        self.given = load_from and (str(load_from), read_checkpoint(load_from))
        if number := next(RUNS):
            # mmengine names a run by its config and the second of its start. Runs of
            # one name share the default scope, logger, message hub and visualizer.
            file = getattr(kwargs.get('cfg'), 'filename', None) or 'run'
            name = kwargs.get('experiment_name') or Path(file).stem
            kwargs['experiment_name'] = f'{name}_{number}'
        if isinstance(kwargs.get('cfg'), Config):
            kwargs['cfg'] = FormattedOnce.of(kwargs['cfg'])
        # mmengine's hooks ask whether the run resumes; load_or_resume is ours.
        super().__init__(model, work_dir=work_dir, resume=self.resuming, **kwargs)
        self.interruption, self.exact_resume = InterruptHook(), ExactResumeHook()
        hooks = [ProgressHook(), self.interruption, self.exact_resume]
        if not any(isinstance(hook, BudgetHook) for hook in self.hooks):
            hooks.append(BudgetHook())
        for hook in hooks:
            self.register_hook(hook)

    def train(self):
        """Train; see mmengine.

        Raises:
            Interrupted: a ``SystemExit``, after a signal, when the run has saved.
            UserError: also if another run uses the work dir, or if another process of
                this run has died.
        """
        try:
            with lock_work_dir(Path(self.work_dir)), explain_lost_peers():
                return super().train()
        finally:
            self.interruption.release()

    @staticmethod
    def build_dataloader(*args, **kwargs) -> DataLoader:
        """Build a data loader whose workers ignore signals; see mmengine."""
        loader = Runner.build_dataloader(*args, **kwargs)
        protect_workers(loader)
        return loader

    def build_train_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """Build a loop that resumes exactly; see mmengine."""
        loop = with_exact_loop(loop) if isinstance(loop, dict) else loop
        return super().build_train_loop(loop)

    def build_visualizer(self, *args, **kwargs):
        """Build a visualizer that a full disk does not stop; see mmengine."""
        visualizer = super().build_visualizer(*args, **kwargs)
        visualizer.add_scalars = ignore_full_disk(visualizer.add_scalars)
        return visualizer

    def dump_config(self) -> None:
        """Save the whole config; a resumed run is compared to it.

        A config that lies in the work dir stays as it is. What it means with all that
        it inherits is saved beside it, as ``NAME_complete.py``.
        """
        if dist.is_main_process():
            name = Path(self.cfg.filename or f'{self.timestamp}.py').name
            path, text = Path(self.work_dir) / name, self.cfg.dump()
            if is_own(path, self.cfg):
                path = path.with_stem(path.stem.removesuffix(COMPLETE) + COMPLETE)
            if not is_own(path, self.cfg):
                write_whole(path, lambda path: path.write_text(text))

    def save_checkpoint(self, out_dir, filename, *args, **kwargs) -> None:
        """Save completely or not at all, with what exact resuming needs; see mmengine.

        Before, the hooks' method ``before_save(runner)`` is called on every process
        (mmengine's ``before_save_checkpoint`` only on the first one).

        Raises:
            UserError: on every process, if it cannot be written or a weight is not
                finite.
        """
        self.call_hook('before_save')
        check_finite(self.model, self.optim_wrapper)
        path, save = Path(out_dir) / filename, super().save_checkpoint

        def write(path: Path) -> None:
            save(str(path.parent), path.name, *args, **kwargs)

        def write_here() -> None:
            if dist.is_main_process():
                write_whole(path, write)
            else:  # all processes take part in gathering sharded weights
                write(path)

        run_on_all_ranks(write_here)

    def load_or_resume(self) -> None:
        """Load the given checkpoint, or resume from it or from the newest one."""
        given, self.given = self.given, None
        resuming, self.resuming = self.resuming, False
        if resuming and given is None:
            given = agree_on_newest_checkpoint(self.work_dir)
            if given is None and self.origin:
                self._resume = resuming = False
                given = str(self.origin), read_checkpoint(self.origin)
        if given is None:
            return
        keep_content(*given)  # mmengine loads by name
        path, _ = given
        if resuming:
            self.logger.info(f'resumed from {path}')
            self.resume(path)
        else:
            self.load_checkpoint(path)

    def resume(self, *args, **kwargs) -> None:
        """Continue a run from a checkpoint; see mmengine."""
        self.exact_resume.rates = base_rates(self)
        super().resume(*args, **kwargs)

    def load_checkpoint(self, *args, **kwargs):
        """Load a checkpoint, in place of the config's; see mmengine."""
        self.given, self.resuming = None, False
        return super().load_checkpoint(*args, **kwargs)


@RUNNERS.register_module()
class PluginRunner(GuardedRunner, StrictRunner):
    """The runner of our tools: :class:`StrictRunner` with :class:`GuardedRunner`."""


def ignore_full_disk(write: Callable) -> Callable:
    """Return ``write`` with one warning in place of errors about a full disk."""
    warned = False

    @functools.wraps(write)
    def write_if_possible(*args, **kwargs) -> None:
        nonlocal warned
        try:
            write(*args, **kwargs)
        except OSError as error:
            if error.errno not in DISK_FULL:
                raise
            if not warned:
                print_log(f'losses are not logged: {error}', 'current', level=30)
            warned = True

    return write_if_possible


@contextlib.contextmanager
def explain_lost_peers() -> Iterator[None]:
    """Replace what torch raises when another process has died by one clear line."""
    try:
        yield
    except RuntimeError as error:
        if dist.get_world_size() == 1 or not LOST_PEER.search(str(error)):
            raise
        raise UserError(
            'another process of this run has died, so this one stops, too: see its '
            'message; --resume continues from the last checkpoint'
        ) from error
