"""The model inside the wrapper that distributes it."""

from contextlib import AbstractContextManager, nullcontext

from mmengine.model import is_model_wrapper
from torch import nn


def unwrap_model(model: nn.Module) -> nn.Module:
    """Return a runner's model without the wrapper that distributes it."""
    return model.module if is_model_wrapper(model) else model


def is_sharded(model: nn.Module) -> bool:
    """Whether each process holds only a part of every parameter."""
    return hasattr(type(model), 'gather_parameters')


def gather_parameters(
    model: nn.Module, blocks: bool = True
) -> AbstractContextManager[None]:
    """Context in which all processes hold whole parameters; changes are kept.

    Does nothing to a model that is not sharded.

    Args:
        model: As the runner holds it.
        blocks: Also gather the transformer blocks. Defaults to True. Without them
            little is sent, and blocks of equal shape are still sharded alike.
    """
    return model.gather_parameters(blocks) if is_sharded(model) else nullcontext()
