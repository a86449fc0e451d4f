"""mmengine's Runner with our terminal and compilation, strict about what is loaded."""

import logging
from collections.abc import Sequence

import torch
from mmengine import dist
from mmengine.hooks import Hook
from mmengine.logging import MMLogger, print_log
from mmengine.runner import BaseLoop, Runner
from mmengine.utils import is_method_overridden
from torch import nn

from ..checkpoints.load import compare_keys
from ..checkpoints.read import state_dict_of
from ..checkpoints.safe_loaders import keep_content, load_content
from ..checkpoints.strip import is_stripped
from ..errors import check
from ..models.algorithm import BootMAE
from ..targets import TargetGenerator
from .bootstrap import BootstrapHook
from .classes import check_checkpoint_classes, check_data_classes
from .compile import compile_blocks
from .progress import keep_quiet
from .unwrap import unwrap_model

RULES = ('linear', 'sqrt')  # of auto_scale_lr


def start_gloo() -> None:
    """Start gloo on a machine without a GPU: mmengine's set-up asks for one."""
    if not torch.cuda.is_available() and not dist.is_distributed():
        torch.distributed.init_process_group('gloo')


class StrictRunner(Runner):
    """mmengine's Runner as our tools use it, without the guards of a run.

    * The terminal shows warnings, the log file everything.
    * ``compile=True`` compiles the transformer blocks, see :func:`compile_blocks`.
    * Loading a checkpoint is strict: a missing or superfluous key is an error.
    * The classes of data, head and checkpoint have to agree.
    * Without a GPU, distributed training uses gloo.
    * ``auto_scale_lr=dict(rule='sqrt', ...)`` scales the learning rate with the square
      root of the batch, which fits Adam and Muon (Malladi et al. 2022, arXiv
      2205.10287). The default rule is mmengine's: linear.
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

    def scale_lr(self, optim_wrapper, auto_scale_lr: dict | None = None) -> None:
        """Scale the learning rate to the batch of all processes; see mmengine.

        Raises:
            UserError: if the rule is unknown.
        """
        options = dict(auto_scale_lr or {})
        rule = options.pop('rule', 'linear')
        check(
            rule in RULES,
            f'unknown auto_scale_lr.rule={rule!r}: choose one of {RULES}',
        )
        base = options.get('base_batch_size')  # mmengine refuses it if it is missing
        if rule == 'sqrt' and options.get('enable') and base:
            batch = self.world_size * self.cfg.train_dataloader.batch_size
            # mmengine divides the batch by this: what is left is the square root.
            options['base_batch_size'] = (batch * base) ** 0.5
            message = f'learning rate times the root of {batch} / {base} (rule=sqrt)'
            print_log(message, 'current')
        super().scale_lr(optim_wrapper, options)

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
        self.train_data = loop.dataloader.dataset
        check_data_classes(unwrap_model(self.model), self.train_data, 'training')
        warn_without_hook(unwrap_model(self.model), self.hooks)
        return loop

    def build_val_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """See mmengine."""
        return self._check_data(super().build_val_loop(loop), 'validation')

    def build_test_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """See mmengine."""
        return self._check_data(super().build_test_loop(loop), 'test')

    def _check_data(self, loop: BaseLoop, name: str) -> BaseLoop:
        model, train = unwrap_model(self.model), getattr(self, 'train_data', None)
        check_data_classes(model, loop.dataloader.dataset, name, train)
        return loop

    def load_checkpoint(
        self, filename, map_location='cpu', strict=True, revise_keys=()
    ):
        """Load a checkpoint strictly; see mmengine.

        Raises:
            UserError: if the checkpoint does not fit the model.
        """
        content = load_content(filename)
        if strict:
            weights, model = state_dict_of(content), unwrap_model(self.model)
            advice = 'give the checkpoint that this config trained'
            if 'stage_number' in weights and not hasattr(model, 'stage'):
                advice = 'it is of a pretraining; train this config from it first'
            if is_stripped(content):
                advice = 'it keeps only the weights that an evaluation needs'
            check_checkpoint_classes(model, weights, filename)
            compare_keys(model.state_dict(), weights, f'checkpoint {filename}', advice)
        keep_content(filename, content)
        return super().load_checkpoint(filename, map_location, strict)


def warn_without_hook(model: nn.Module, hooks: Sequence[Hook]) -> None:
    """Warn of a run without BootstrapHook whose model needs it.

    Without the hook no stage starts, no loss weight grows and no teacher follows.
    """
    has_hook = any(isinstance(hook, BootstrapHook) for hook in hooks)
    if has_hook or not isinstance(model, BootMAE):
        return
    stopped = []
    for name, head in model.head.items():
        if not head.active(1):
            stopped.append(f'the branch {name!r} never starts')
        if head.weight_at(0, 1) != head.weight_at(1, 1):
            stopped.append(f'the loss weight of the branch {name!r} stays at its start')
    teacher = model.target_generator
    if isinstance(teacher, TargetGenerator) and is_method_overridden(
        'update', TargetGenerator, teacher
    ):
        stopped.append('the teacher does not follow the student')
    if stopped:
        print_log(
            f'no BootstrapHook: {", ".join(stopped)}; add '
            "default_hooks=dict(bootstrap=dict(type='BootstrapHook', num_stages=1))",
            'current',
            logging.WARNING,
        )
