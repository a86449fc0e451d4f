"""The model inside of what distributes it."""

from mmengine.model import is_model_wrapper
from torch import nn


def unwrapped(model: nn.Module) -> nn.Module:
    """A runner's model without DistributedDataParallel or FSDP around it."""
    return model.module if is_model_wrapper(model) else model
