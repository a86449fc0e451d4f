"""Access to the model inside the wrapper that distributes it over processes."""

from contextlib import AbstractContextManager, nullcontext

from mmengine.model import is_model_wrapper
from torch import nn


def unwrap_model(model: nn.Module) -> nn.Module:
    """Return a runner's model without the wrapper that distributes it."""
    return model.module if is_model_wrapper(model) else model


def holds_parts(model: nn.Module) -> bool:
    """Return whether each process holds only a part of every parameter."""
    return hasattr(type(model), 'gather_parameters')


def gather_parameters(
    model: nn.Module, blocks: bool = True
) -> AbstractContextManager[None]:
    """Context in which every process holds whole parameters; changes to them stay.

    Does nothing where every process holds whole parameters anyway.

    Args:
        model: The model as the runner holds it, with its wrapper.
        blocks: Gather the transformer blocks, too. Defaults to True. Without them
            little is sent, and the parts of two blocks of one shape still correspond.
    """
    return model.gather_parameters(blocks) if holds_parts(model) else nullcontext()
