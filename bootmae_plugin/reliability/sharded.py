"""Sharded training (FSDP): for encoders whose weights and optimiser fill a GPU."""

from contextlib import AbstractContextManager

import torch
from mmengine import dist
from mmengine._strategy import BaseStrategy, FSDPStrategy
from mmengine.logging import MMLogger
from mmengine.model import MMFullyShardedDataParallel
from mmengine.registry import MODEL_WRAPPERS, STRATEGIES
from mmengine.runner import FlexibleRunner
from mmpretrain.registry import RUNNERS
from torch import nn
from torch.distributed.fsdp import FullyShardedDataParallel as FSDP
from torch.distributed.fsdp.wrap import ModuleWrapPolicy

from ..errors import check
from ..models.layers import BLOCKS
from .guards import GuardedRunner
from .runner import compile_blocks, keep_quiet, start_gloo

# Hooks that encode images on one process, where each has only its shard.
UNSUPPORTED = ('KNNHook', 'ReconstructionHook')


@MODEL_WRAPPERS.register_module()
class BlockFSDP(MMFullyShardedDataParallel):
    """mmengine's FSDP wrapper, which can give all processes whole parameters."""

    def gather_parameters(self, blocks: bool) -> AbstractContextManager[None]:
        """See :func:`bootmae_plugin.engine.unwrap.gather_parameters`."""
        return FSDP.summon_full_params(self, recurse=blocks)


def is_trained_block(module: nn.Module) -> bool:
    """A transformer block with something to train (a teacher's has not)."""
    trained = any(p.requires_grad for p in module.parameters())
    return isinstance(module, BLOCKS) and trained


@STRATEGIES.register_module()
class BlockFSDPStrategy(FSDPStrategy):
    """mmengine's FSDP with every transformer block a unit of its own; CPUs, too.

    The rest of the model is the root's unit: ``MaskedViT.encode`` is not ``forward``,
    so an encoder that is a unit would never be gathered. Blocks of student and teacher
    are sharded alike. Checkpoints are whole, the same as without sharding.

    Args:
        recompute: Keep only the inputs of trained blocks, and calculate what is in them
            again for the backward pass (activation checkpointing). Defaults to False.
        model_wrapper: Further options of torch's FSDP. Defaults to None.
        **kwargs: See mmengine's ``FSDPStrategy``.

    Raises:
        UserError: without a launcher, and for ``clip_grad``, whose norm mmengine takes
            of each process' shard alone.
    """

    def __init__(
        self, *, recompute: bool = False, model_wrapper: dict | None = None, **kwargs
    ) -> None:
        launcher = (kwargs.get('env_kwargs') or {}).get('launcher')
        check(
            launcher != 'none',
            'sharded training needs a launcher: bash tools/dist_train.sh CONFIG GPUS',
        )
        if recompute:
            kwargs['activation_checkpointing'] = dict(check_fn=is_trained_block)
        options = dict(
            type='BlockFSDP',
            auto_wrap_policy=ModuleWrapPolicy(set(BLOCKS)),
        )
        if not torch.cuda.is_available():
            options['device_id'] = torch.device('cpu')
        super().__init__(
            model_wrapper={**options, **(model_wrapper or {})},
            state_dict_cfg='full',
            **kwargs,
        )

    def _setup_distributed(self, launcher: str = 'pytorch', **kwargs) -> None:
        if not start_gloo():
            super()._setup_distributed(launcher, **kwargs)

    def _wrap_model(self, model: nn.Module) -> nn.Module:
        for tensor in (*model.parameters(), *model.buffers()):
            dist.broadcast(tensor.data)  # ranks are seeded differently
        return super()._wrap_model(model)

    def build_logger(self, *args, **kwargs) -> MMLogger:
        return keep_quiet(super().build_logger(*args, **kwargs))

    def compile_model(self, model: nn.Module, compile: dict | bool = False):
        """Compile the transformer blocks, as :class:`PluginRunner` does."""
        compile_blocks(model, compile)
        return model

    def build_optim_wrapper(self, optim_wrapper, model: nn.Module | None = None):
        clip = optim_wrapper.get('clip_grad') if isinstance(optim_wrapper, dict) else {}
        check(
            not clip,
            f'clip_grad={clip} does not work with sharded weights: set '
            'optim_wrapper.clip_grad=None, or train without FSDP',
        )
        wrapper = super().build_optim_wrapper(optim_wrapper, model)
        wrapper.optimizer.register_step_pre_hook(self._leave_idle_alone)
        return wrapper

    def _leave_idle_alone(self, optimizer: torch.optim.Optimizer, *_) -> None:
        """FSDP gives the branches that are not in this stage gradients of zeros, which
        the optimiser would decay; but each parameter has to have a state."""
        if hasattr(self.model.module, 'idle_parameters'):
            for parameter in self.model.module.idle_parameters():
                if parameter in optimizer.state:
                    parameter.grad = None

    def load_model_state_dict(self, state_dict: dict, **kwargs) -> None:
        """Every key has to fit; mmengine only warns of those that do not."""
        self.model.load_state_dict(state_dict, strict=True)

    def load_optim_state_dict(self, state_dict: dict) -> None:
        """As in mmengine, whose arguments are in the order of an older torch."""
        optimizer = self.optim_wrapper.optimizer
        self.optim_wrapper.load_state_dict(
            FSDP.optim_state_dict_to_load(
                model=self.model, optim=optimizer, optim_state_dict=state_dict
            )
        )

    def _build_param_scheduler(self, *args, **kwargs) -> list:
        # FSDPStrategy's own does not know convert_to_iter_based.
        return BaseStrategy._build_param_scheduler(self, *args, **kwargs)


@RUNNERS.register_module()
class ShardedRunner(GuardedRunner, FlexibleRunner):
    """mmengine's FlexibleRunner with :class:`PluginRunner`'s terminal and guards."""

    def build_param_scheduler(self, scheduler: dict | list) -> list:
        """Under the name it has in mmengine's Runner."""
        return self.strategy.build_param_scheduler(scheduler, self.optim_wrapper)

    def register_hook(self, hook, priority=None) -> None:
        """As in mmengine; a hook that needs whole weights is refused."""
        name = hook['type'] if isinstance(hook, dict) else type(hook)
        name = (name if isinstance(name, str) else name.__name__).rpartition('.')[2]
        check(
            name not in UNSUPPORTED,
            f'{name} encodes images on one process and cannot with sharded weights: '
            'remove it, and use tools/knn.py and tools/reconstruct.py on checkpoints',
        )
        super().register_hook(hook, priority)
