"""The runners' guards, and the runner of our tools."""

import contextlib
import errno
import functools
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from mmengine import dist
from mmengine.logging import MMLogger, print_log
from mmengine.runner import BaseLoop, CheckpointLoader, Runner
from mmpretrain.registry import RUNNERS
from torch import nn
from torch.utils.data import DataLoader

from ..checkpoints.load import compare_keys
from ..checkpoints.read import read_checkpoint, state_dict_of
from ..checkpoints.safe_loaders import register_safe_loaders
from ..checkpoints.strip import is_stripped
from ..checkpoints.write import write_whole
from ..engine.bootstrap import warn_without_hook
from ..engine.classes import check_checkpoint_classes, check_data_classes
from ..engine.compile import compile_blocks
from ..engine.memory import keep_freed_memory
from ..engine.progress import ProgressHook
from ..engine.quiet import keep_quiet
from ..engine.unwrap import unwrap_model
from ..errors import UserError
from .finite import check_finite
from .loops import with_exact_loop
from .rescale import base_rates
from .resume import ExactResumeHook
from .signals import InterruptHook, end_workers, protect_workers
from .work_dir import (
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

# A checkpoint is read and checked once. mmengine, which loads by name, then gets its
# content under the name 'checked:PATH'.
CHECKED = 'checked:'
_checked: dict[str, dict] = {}


@CheckpointLoader.register_scheme(prefixes=CHECKED)
def load_from_memory(name: str, map_location=None) -> dict:
    """Return the content that was handed over, once: mmengine changes it."""
    return _checked.pop(name)


def hand_over(path: str, content: dict) -> str:
    """Keep the content of a checkpoint; return the name that mmengine loads it by."""
    name = CHECKED + str(path).removeprefix(CHECKED)
    _checked[name] = content
    return name


class GuardedRunner:
    """Mixin for mmengine's Runner and FlexibleRunner that guards a run.

    * A work dir that holds another experiment is refused before anything is written.
    * Nothing is unpickled in this process, neither by us nor by mmengine.
    * Config and checkpoints are written completely or not at all.
    * A run resumes exactly from its newest intact checkpoint, also within an epoch. The
      checkpoint is read once.
    * A run that gets a signal saves a checkpoint and ends.

    Args:
        model: Model or its config.
        work_dir: Folder of logs and checkpoints.
        load_from: Checkpoint to load or, with ``resume``, to continue from. It is read
            before anything is built. Defaults to None.
        resume: Continue a run, from ``load_from`` or else from the newest checkpoint of
            the work dir. Defaults to False.
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
        if isinstance(resume, str):
            load_from = resume
        self.resuming = bool(resume)
        self.given = load_from and hand_over(load_from, read_checkpoint(load_from))
        self.loops: dict[str, BaseLoop] = {}
        # mmengine's hooks ask whether the run resumes; load_or_resume is ours.
        super().__init__(model, work_dir=work_dir, resume=self.resuming, **kwargs)
        self.interruption, self.exact_resume = InterruptHook(), ExactResumeHook()
        for hook in (ProgressHook(), self.interruption, self.exact_resume):
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
            for loop in self.loops.values():
                end_workers(loop.dataloader)

    @staticmethod
    def build_dataloader(*args, **kwargs) -> DataLoader:
        """Build a data loader whose workers ignore signals; see mmengine."""
        loader = Runner.build_dataloader(*args, **kwargs)
        protect_workers(loader)
        return loader

    def build_train_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """Build a loop that resumes exactly; see mmengine."""
        loop = with_exact_loop(loop) if isinstance(loop, dict) else loop
        return self._keep_loop('training', super().build_train_loop(loop))

    def build_val_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """See mmengine."""
        return self._keep_loop('validation', super().build_val_loop(loop))

    def build_test_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """See mmengine."""
        return self._keep_loop('test', super().build_test_loop(loop))

    def _keep_loop(self, name: str, loop: BaseLoop) -> BaseLoop:
        self.loops[name] = loop
        return loop

    def build_visualizer(self, *args, **kwargs):
        """Build a visualizer that a full disk does not stop; see mmengine."""
        visualizer = super().build_visualizer(*args, **kwargs)
        visualizer.add_scalars = ignore_full_disk(visualizer.add_scalars)
        return visualizer

    def dump_config(self) -> None:
        """Save the config completely or not at all; a resumed run is compared to it."""
        if dist.is_main_process():
            name = Path(self.cfg.filename or f'{self.timestamp}.py').name
            path, text = Path(self.work_dir) / name, self.cfg.dump()
            if not is_own(path, self.cfg):  # the user's own file stays as it is
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
            found = agree_on_newest_checkpoint(self.work_dir)
            given = found and hand_over(*found)
        if given is not None and resuming:
            self.logger.info(f'resumed from {given.removeprefix(CHECKED)}')
            self.resume(given)
        elif given is not None:
            self.load_checkpoint(given)

    def resume(self, *args, **kwargs) -> None:
        """Continue a run from a checkpoint; see mmengine."""
        self.exact_resume.rates = base_rates(self)
        super().resume(*args, **kwargs)

    def load_checkpoint(self, *args, **kwargs):
        """Load a checkpoint, in place of the config's; see mmengine."""
        self.given, self.resuming = None, False
        return super().load_checkpoint(*args, **kwargs)


@RUNNERS.register_module()
class PluginRunner(GuardedRunner, Runner):
    """mmengine's Runner as our tools use it.

    * The terminal shows :class:`ProgressHook` and warnings, the log file everything.
    * ``compile=True`` compiles the transformer blocks, see :func:`compile_blocks`.
    * Loading a checkpoint is strict: a missing or superfluous key is an error.
    * The classes of data, head and checkpoint have to agree.
    * Without a GPU, distributed training uses gloo.
    * :class:`GuardedRunner` guards work dir and checkpoints.
    """

    def setup_env(self, env_cfg: dict) -> None:
        """Set up the processes; see mmengine."""
        if self.distributed:
            start_gloo()
        super().setup_env(env_cfg)

    def wrap_model(self, model_wrapper_cfg: dict | None, model: nn.Module) -> nn.Module:
        """Wrap the model for distributed training; see mmengine."""
        on_cpu = self.distributed and not torch.cuda.is_available()
        if on_cpu and model_wrapper_cfg is None:
            model_wrapper_cfg = dict(
                type='MMDistributedDataParallel',
                device_ids=None,
                broadcast_buffers=False,
                find_unused_parameters=self.cfg.get('find_unused_parameters', False),
            )
        return super().wrap_model(model_wrapper_cfg, model)

    def build_logger(self, *args, **kwargs) -> MMLogger:
        """Build a logger that shows only warnings on the terminal; see mmengine."""
        return keep_quiet(super().build_logger(*args, **kwargs))

    def _maybe_compile(self, target: str) -> None:
        # A private name of mmengine, which would compile the whole training step.
        if not compile_blocks(self.model, self.cfg.get('compile')):
            super()._maybe_compile(target)

    def build_train_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """See mmengine."""
        loop = super().build_train_loop(loop)
        warn_without_hook(unwrap_model(self.model), self.hooks)
        return loop

    def _keep_loop(self, name: str, loop: BaseLoop) -> BaseLoop:
        train = self.loops.get('training')
        check_data_classes(
            unwrap_model(self.model),
            loop.dataloader.dataset,
            name,
            train.dataloader.dataset if hasattr(train, 'dataloader') else None,
        )
        return super()._keep_loop(name, loop)

    def load_checkpoint(
        self, filename, map_location='cpu', strict=True, revise_keys=()
    ):
        """Load a checkpoint strictly; see mmengine.

        Raises:
            UserError: if the checkpoint does not fit the model.
        """
        given = str(filename).startswith(CHECKED)
        content = load_from_memory(filename) if given else read_checkpoint(filename)
        path = str(filename).removeprefix(CHECKED)
        if strict:
            weights, model = state_dict_of(content), unwrap_model(self.model)
            advice = 'give the checkpoint that this config trained'
            if 'stage_number' in weights and not hasattr(model, 'stage'):
                advice = 'it is of a pretraining; train this config from it first'
            if is_stripped(content):
                advice = 'it keeps only the weights that an evaluation needs'
            check_checkpoint_classes(model, weights, path)
            compare_keys(model.state_dict(), weights, f'checkpoint {path}', advice)
        return super().load_checkpoint(hand_over(path, content), map_location, strict)


def start_gloo() -> None:
    """Start gloo on a machine without a GPU: mmengine's set-up asks for one."""
    if not torch.cuda.is_available() and not dist.is_distributed():
        torch.distributed.init_process_group('gloo')


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
