"""Few parameter groups: the optimiser's fused kernels work on whole groups."""

from mmengine.optim import DefaultOptimWrapperConstructor
from mmpretrain.registry import OPTIM_WRAPPER_CONSTRUCTORS
from torch import nn

# What mmengine and mmpretrain note in a group and no optimiser reads: the rates have
# been multiplied already.
NOTES = ('params', 'param_name', 'lr_mult', 'decay_mult', 'lr_scale')


def merge_groups(groups: list[dict], **defaults) -> list[dict]:
    """Join the parameter groups that differ in nothing an optimiser reads.

    Args:
        groups: As an optimiser takes them.
        **defaults: The optimiser's own options, for groups that leave them out; None
            where it has none.
    """
    defaults = {key: value for key, value in defaults.items() if value is not None}
    merged = {}
    for group in groups:
        own = {key: group[key] for key in group if key not in NOTES}
        options = {**defaults, **own}
        key = tuple(sorted(options.items()))
        merged.setdefault(key, dict(options, params=[]))
        merged[key]['params'] += group['params']
    return list(merged.values())


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class MergedGroupsConstructor(DefaultOptimWrapperConstructor):
    """mmengine's constructor, which makes a group of every tensor, with merged groups.

    The optimisation is the same; a step starts a few fused kernels in place of
    hundreds. The order of the groups is that of their first parameter.
    """

    def add_params(
        self, params: list, module: nn.Module, prefix: str = '', **kwargs
    ) -> None:
        super().add_params(params, module, prefix=prefix, **kwargs)
        if not prefix:
            params[:] = merge_groups(params, lr=self.base_lr, weight_decay=self.base_wd)
