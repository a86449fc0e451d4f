"""The runner of our own tools: a quiet terminal, strict loading, guarded work dirs."""

import logging
import re

import torch
from mmengine import dist
from mmengine.logging import MMLogger, print_log
from mmengine.runner import Runner
from mmpretrain.registry import RUNNERS
from torch import nn

from ..checkpoints.load import compare_keys
from ..checkpoints.read import read_checkpoint, state_dict_of
from ..engine.bootstrap import warn_without_hook
from ..engine.classes import check_checkpoint_classes, check_data_classes
from ..engine.unwrap import unwrap_model
from ..models.layers import BLOCKS
from .guards import GuardedRunner

# Warnings that tell a user nothing: every frozen parameter, mmengine's own old calls.
NOISE = re.compile(
    'is skipped since its requires_grad=False|FileClient|HardDisk|The prefix is not set'
    '|in the "function" registry tree|is not defined in message_hub'
    '|Resumed iteration number is not divisible'  # ours restores them
)


@RUNNERS.register_module()
class PluginRunner(GuardedRunner, Runner):
    """mmengine's Runner as ``tools/train.py`` and ``tools/test.py`` use it.

    * the terminal shows :class:`ProgressHook` and warnings, the log file everything;
    * ``compile=True`` compiles the transformer blocks, see :func:`compile_blocks`;
    * loading a checkpoint for evaluation is strict, with one line that says what is
      missing; nothing is unpickled;
    * the classes of data, head and checkpoint have to agree;
    * work dir, checkpoints and resuming are :class:`GuardedRunner`'s.
    """

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
        model = unwrap_model(self.model)
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
        warn_without_hook(unwrap_model(self.model), self.hooks)
        return loop

    def build_val_loop(self, loop):
        loop = super().build_val_loop(loop)
        self._check_classes('validation', loop)
        return loop

    def build_test_loop(self, loop):
        loop = super().build_test_loop(loop)
        self._check_classes('test', loop)
        return loop

    def load_checkpoint(
        self, filename, map_location='cpu', strict=True, revise_keys=()
    ):
        content = read_checkpoint(filename)
        given = state_dict_of(content)
        model = unwrap_model(self.model)
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
