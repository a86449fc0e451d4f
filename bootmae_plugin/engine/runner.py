"""The runner of our own tools: a quiet terminal, strict loading, guarded work dirs."""

import logging
import re
from pathlib import Path

import torch
from mmengine import dist
from mmengine.config import Config
from mmengine.logging import MMLogger, print_log
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmpretrain.registry import RUNNERS
from torch import nn

from ..errors import check
from ..models.layers import BLOCKS
from ..models.pretrained import compare_keys, read_checkpoint, state_dict_of
from .checkpoints import dump_whole, newest_checkpoint, write_whole
from .classes import check_checkpoint_classes, check_data_classes
from .memory import keep_freed_memory
from .progress import ProgressHook
from .random_state import RandomStateHook

# Warnings that tell a user nothing: every frozen parameter, mmengine's own old calls.
NOISE = re.compile(
    'is skipped since its requires_grad=False|FileClient|HardDisk|The prefix is not set'
    '|in the "function" registry tree'
)


@RUNNERS.register_module()
class PluginRunner(Runner):
    """mmengine's Runner as ``tools/train.py`` and ``tools/test.py`` use it.

    * the terminal shows :class:`ProgressHook` and warnings, the log file everything;
    * ``compile=True`` compiles the transformer blocks, see :func:`compile_blocks`;
    * loading a checkpoint for evaluation is strict, with one line that says what is
      missing; nothing is unpickled;
    * the classes of data, head and checkpoint have to agree;
    * a work dir that holds another experiment, or this one unfinished, is refused
      before anything is written.
    """

    def __init__(self, model, work_dir, *args, **kwargs) -> None:
        guard_work_dir(kwargs.get('cfg'), work_dir)
        keep_freed_memory()
        super().__init__(model, work_dir, *args, **kwargs)
        self.register_hook(ProgressHook())
        self._random_states = RandomStateHook()
        self.register_hook(self._random_states)

    def setup_env(self, env_cfg) -> None:
        if self.distributed and not torch.cuda.is_available():
            env_cfg = dict(env_cfg, dist_cfg={})
            start_gloo()
        super().setup_env(env_cfg)

    def wrap_model(self, model_wrapper_cfg, model):
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
        return keep_quiet(super().build_logger(*args, **kwargs))

    def _maybe_compile(self, target: str) -> None:
        """In place of mmengine's whole training step; see :func:`compile_blocks`."""
        if not compile_blocks(self.model, self.cfg.get('compile')):
            super()._maybe_compile(target)

    def _check_classes(self, name: str, loop) -> None:
        model = self.model.module if is_model_wrapper(self.model) else self.model
        train = None if name == 'training' else self._train_loop
        check_data_classes(
            model,
            loop.dataloader.dataset,
            name,
            train.dataloader.dataset if hasattr(train, 'dataloader') else None,
        )

    def build_train_loop(self, loop):
        loop = super().build_train_loop(loop)
        self._check_classes('training', loop)
        return loop

    def build_val_loop(self, loop):
        loop = super().build_val_loop(loop)
        self._check_classes('validation', loop)
        return loop

    def build_test_loop(self, loop):
        loop = super().build_test_loop(loop)
        self._check_classes('test', loop)
        return loop

    def dump_config(self) -> None:
        """As in mmengine; whole, for a resumed run is compared with it."""
        if dist.is_main_process():
            dump_whole(self)

    def save_checkpoint(self, out_dir, filename, *args, **kwargs) -> None:
        """As in mmengine, but whole or not at all; with every process' random state."""
        self._random_states.gather()
        if dist.is_main_process():
            save = super().save_checkpoint
            write_whole(
                Path(out_dir) / filename,
                lambda path: save(str(path.parent), path.name, *args, **kwargs),
            )

    def load_or_resume(self) -> None:
        if self._resume and self._load_from is None and not self._has_loaded:
            newest = newest_checkpoint(self.work_dir)
            if newest is not None:
                self.logger.info(f'resumed from {newest}')
                self.resume(str(newest))
                self._has_loaded = True
            return
        super().load_or_resume()

    def load_checkpoint(
        self, filename, map_location='cpu', strict=True, revise_keys=()
    ):
        content = read_checkpoint(filename)
        given = state_dict_of(content)
        model = self.model.module if is_model_wrapper(self.model) else self.model
        advice = 'give the checkpoint that this config trained'
        if 'stage_number' in given and not hasattr(model, 'stage'):
            advice = 'it is a pretraining checkpoint; train this config from it first'
        if strict:
            check_checkpoint_classes(model, given, str(filename))
            compare_keys(model.state_dict(), given, f'checkpoint {filename}', advice)
        return super().load_checkpoint(filename, map_location, strict)


def start_gloo() -> bool:
    """Without a GPU, which mmengine's own set-up asks for: gloo. Whether it was."""
    if torch.cuda.is_available():
        return False
    if not dist.is_distributed():
        torch.distributed.init_process_group('gloo')
    return True


def keep_quiet(logger: MMLogger) -> MMLogger:
    """On the terminal only warnings; the log file keeps everything."""
    for handler in logger.handlers:
        if type(handler) is logging.StreamHandler:
            handler.setLevel(max(handler.level, logging.WARNING))
            handler.addFilter(lambda record: not NOISE.search(record.getMessage()))
    return logger


def compile_blocks(model: nn.Module, options: dict | bool | None) -> int:
    """Compile the transformer blocks; their number.

    They are nearly all of the work and alike, so one compilation serves them all; a
    stage that starts adds the teacher's.

    Args:
        model: Any model; one without our blocks is left alone.
        options: Of ``torch.compile``; True: ``dynamic=False``; False or None: not.
    """
    blocks = [m for m in model.modules() if isinstance(m, BLOCKS)] if options else []
    options = dict(dynamic=False) if options is True else dict(options or {})
    for block in blocks:
        block.compile(**options)
    if blocks:
        print_log(f'{len(blocks)} transformer blocks will be compiled', 'current')
    return len(blocks)


def guard_work_dir(cfg: Config | None, work_dir: str | Path) -> None:
    """Refuse to train into a work dir that holds another experiment.

    Raises:
        UserError: if ``work_dir`` holds checkpoints, unless the config asks to resume
            and is the one that made them.
    """
    work_dir = Path(work_dir)
    if cfg is None or cfg.get('train_dataloader') is None or not dist.is_main_process():
        return
    if not any(work_dir.glob('*.pth')):
        return
    check(
        bool(cfg.get('resume')),
        f'work dir {work_dir} holds a run already: --resume goes on with it, another '
        '--work-dir keeps both; nothing was changed',
    )
    # mmengine keeps the config of a run under its own name; other files are not read.
    path = work_dir / Path(cfg.filename or '').name
    check(
        path.is_file(),
        f'work dir {work_dir} holds another experiment: it has no config '
        f'{path.name!r}; choose another --work-dir (nothing was changed)',
    )
    kept = Config.fromfile(path)
    # A longer schedule, other workers, ... may differ; another model may not.
    ours, theirs = (
        # FlexibleRunner moves the preprocessing, which may differ, into it.
        {k: v for k, v in c.get('model').items() if k != 'data_preprocessor'}
        for c in (cfg, kept)
    )
    check(
        ours == theirs,
        f'work dir {work_dir} holds another experiment: its config {path.name} has '
        'another model; choose another --work-dir (nothing was changed)',
    )
