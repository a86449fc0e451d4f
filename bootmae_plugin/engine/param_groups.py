"""Few parameter groups: the optimizer's fused kernels process one group at a time."""

from mmengine.optim import DefaultOptimWrapperConstructor
from mmpretrain.registry import OPTIM_WRAPPER_CONSTRUCTORS
from torch import nn

# mmengine and mmpretrain note these in a group, and no optimizer reads them: the
# learning rate and the weight decay are multiplied already.
NOTES = ('params', 'param_name', 'lr_mult', 'decay_mult', 'lr_scale')


def merge_groups(groups: list[dict], **defaults) -> list[dict]:
    """Merge parameter groups with the same options.

    Args:
        groups: Parameter groups, as an optimizer takes them.
        **defaults: The optimizer's own options, for groups without them; None if the
            optimizer does not have the option.

    Returns:
        The merged groups, in the order of their first parameters.
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
    """mmengine's constructor, with merged groups instead of one group for each tensor.

    The optimization is the same, with a few fused kernels a step instead of hundreds.
    """

    def add_params(
        self, params: list, module: nn.Module, prefix: str = '', **kwargs
    ) -> None:
        """Add the parameters of a module to the list of groups, in place."""
        super().add_params(params, module, prefix=prefix, **kwargs)
        if not prefix:
            params[:] = merge_groups(params, lr=self.base_lr, weight_decay=self.base_wd)
