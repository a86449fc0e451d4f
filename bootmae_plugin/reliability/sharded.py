"""Sharded training (FSDP), for encoders whose weights and optimizer fill a GPU."""

from contextlib import AbstractContextManager

import torch
from mmengine import dist
from mmengine.logging import MMLogger
from mmengine.model import MMFullyShardedDataParallel
from mmengine.registry import MODEL_WRAPPERS, STRATEGIES
from mmengine.runner import FlexibleRunner
from mmpretrain.registry import RUNNERS
from torch import nn
from torch.distributed.fsdp import FullyShardedDataParallel as FSDP
from torch.distributed.fsdp.wrap import ModuleWrapPolicy

from ..engine.compile import compile_blocks
from ..engine.progress import keep_quiet
from ..engine.strict_runner import start_gloo
from ..errors import check
from ..hints import command
from ..models.layers import BLOCKS
from .runner import GuardedRunner

# Hooks that encode images on one process, where each process has only its shard.
UNSUPPORTED = ('KNNHook', 'ReconstructionHook')
FSDPStrategy = STRATEGIES.get('FSDPStrategy')


@MODEL_WRAPPERS.register_module()
class BlockFSDP(MMFullyShardedDataParallel):
    """mmengine's FSDP wrapper, which can give all processes whole parameters.

    Args:
        module: The model. All processes take the weights of the first one.
        **kwargs: See mmengine's ``MMFullyShardedDataParallel``.
    """

    def __init__(self, module: nn.Module, **kwargs) -> None:
        for tensor in (*module.parameters(), *module.buffers()):
            dist.broadcast(tensor.data)  # each process has drawn its own weights
        super().__init__(module, **kwargs)

    def gather_parameters(self, blocks: bool) -> AbstractContextManager[None]:
        """See :func:`bootmae_plugin.engine.unwrap.gather_parameters`."""
        return FSDP.summon_full_params(self, recurse=blocks)


def is_trained_block(module: nn.Module) -> bool:
    """Return whether this is a transformer block with trained weights."""
    trained = any(p.requires_grad for p in module.parameters())
    return isinstance(module, BLOCKS) and trained


@STRATEGIES.register_module()
class BlockFSDPStrategy(FSDPStrategy):
    """mmengine's FSDP with every transformer block as a unit; also on CPUs.

    The rest of the model is the root's unit: ``MaskedViT.encode`` is not ``forward``,
    so FSDP would never gather an encoder that is a unit. Blocks of student and teacher
    are sharded alike. Checkpoints are the same as without sharding.

    Args:
        recompute: Keep only the inputs of trained blocks, and compute the rest again in
            the backward pass (activation checkpointing). Defaults to False.
        **kwargs: See mmengine's ``FSDPStrategy``.

    Raises:
        UserError: without a launcher; for ``clip_grad``, because mmengine takes the
            norm of each process' shard alone; for Muon, which needs whole matrices; and
            for ``auto_scale_lr.rule='sqrt'``.
    """

    def __init__(self, *, recompute: bool = False, **kwargs) -> None:
        launcher = (kwargs.get('env_kwargs') or {}).get('launcher')
        check(
            launcher != 'none',
            'sharded training needs a launcher: bash tools/dist_train.sh CONFIG GPUS',
        )
        rule = (kwargs.get('auto_scale_lr') or {}).get('rule', 'linear')
        check(
            rule == 'linear',
            f'auto_scale_lr.rule={rule} does not work with sharded weights: set '
            'optim_wrapper.optimizer.lr for your batch and auto_scale_lr.enable=False',
        )
        start_gloo()
        if recompute:
            kwargs['activation_checkpointing'] = dict(check_fn=is_trained_block)
        options = dict(
            type='BlockFSDP',
            auto_wrap_policy=ModuleWrapPolicy(set(BLOCKS)),
        )
        if not torch.cuda.is_available():
            options['device_id'] = torch.device('cpu')
        super().__init__(model_wrapper=options, state_dict_cfg='full', **kwargs)

    def build_logger(self, *args, **kwargs) -> MMLogger:
        """Build a logger that shows only warnings on the terminal; see mmengine."""
        return keep_quiet(super().build_logger(*args, **kwargs))

    def compile_model(self, model: nn.Module, compile: dict | bool = False):
        """Compile the transformer blocks, as :class:`PluginRunner` does."""
        compile_blocks(model, compile)
        return model

    def build_optim_wrapper(self, optim_wrapper, model: nn.Module | None = None):
        """Build an optimizer that leaves the branches of other stages alone."""
        options = optim_wrapper if isinstance(optim_wrapper, dict) else {}
        clip = options.get('clip_grad')
        check(
            not clip,
            f'clip_grad={clip} does not work with sharded weights: set '
            'optim_wrapper.clip_grad=None, or train without FSDP',
        )
        optimizer = options.get('optimizer') or {}
        check(
            not str(optimizer.get('type')).endswith('Muon'),
            'Muon needs whole matrices and cannot train sharded weights: take AdamW '
            '(optim_wrapper.optimizer and constructor), or train without FSDP',
        )
        wrapper = super().build_optim_wrapper(optim_wrapper, model)
        wrapper.optimizer.register_step_pre_hook(self._remove_idle_gradients)
        return wrapper

    def _remove_idle_gradients(self, optimizer: torch.optim.Optimizer, *_) -> None:
        # FSDP gives the branches that are not in this stage gradients of zeros, which
        # the optimizer would decay. But every parameter needs an optimizer state.
        if hasattr(self.model.module, 'idle_parameters'):
            for parameter in self.model.module.idle_parameters():
                if parameter in optimizer.state:
                    parameter.grad = None

    def load_model_state_dict(self, state_dict: dict, **kwargs) -> None:
        """Load strictly; mmengine only warns about keys that do not fit."""
        self.model.load_state_dict(state_dict, strict=True)

    def load_optim_state_dict(self, state_dict: dict) -> None:
        """See mmengine, which passes the arguments in the order of an older torch."""
        optimizer = self.optim_wrapper.optimizer
        self.optim_wrapper.load_state_dict(
            FSDP.optim_state_dict_to_load(
                model=self.model, optim=optimizer, optim_state_dict=state_dict
            )
        )


@RUNNERS.register_module()
class ShardedRunner(GuardedRunner, FlexibleRunner):
    """mmengine's FlexibleRunner with the terminal and the guards of PluginRunner."""

    def build_param_scheduler(self, scheduler: dict | list) -> list:
        """Build the schedulers; the method has the name it has in mmengine's Runner."""
        built = self.strategy.build_param_scheduler(scheduler, self.optim_wrapper)
        self.strategy.param_schedulers = built  # which it saves
        return built

    def register_hook(self, hook, priority=None) -> None:
        """Register a hook, unless it needs whole weights; see mmengine."""
        name = hook['type'] if isinstance(hook, dict) else type(hook)
        name = (name if isinstance(name, str) else name.__name__).rpartition('.')[2]
        check(
            name not in UNSUPPORTED,
            f'{name} encodes images on one process and cannot with sharded weights: '
            f'remove it, and use {command("knn")} and {command("reconstruct")} on '
            'checkpoints',
        )
        super().register_hook(hook, priority)
