"""Mixed precision in bfloat16, on CPUs and GPUs alike."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.logging import print_log
from mmengine.optim import OptimWrapper
from mmpretrain.registry import OPTIM_WRAPPERS
from torch import nn


def has_bf16(device: str) -> bool:
    """Return whether a device ('cpu', 'cuda') has bfloat16 instructions."""
    if device == 'cpu':
        return torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return device != 'cuda' or torch.cuda.is_bf16_supported(including_emulation=False)


@OPTIM_WRAPPERS.register_module()
class Bf16OptimWrapper(OptimWrapper):
    """Optimizer wrapper that runs the forward pass under bfloat16 autocast.

    mmengine's ``AmpOptimWrapper`` refuses CPUs and scales the loss, which bfloat16 does
    not need: it has the range of float32. Weights, gradients and the optimizer state
    stay float32, so checkpoints are those of :class:`OptimWrapper`. A device without
    bfloat16 instructions trains in float32, which is faster there, and the log says so.

    Args:
        **kwargs: See mmengine's ``OptimWrapper`` (clip_grad, accumulative_counts, ...).
    """

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        self._enabled = {}

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Run the forward pass under autocast on the model's device."""
        device = next(model.parameters()).device.type
        if device not in self._enabled:
            self._enabled[device] = has_bf16(device)
            if not self._enabled[device]:
                print_log(f'{device} has no bfloat16: training in float32', 'current')
        autocast = torch.autocast(device, torch.bfloat16, enabled=self._enabled[device])
        with super().optim_context(model), autocast:
            yield
