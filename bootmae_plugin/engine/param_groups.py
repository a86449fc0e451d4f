"""Parameter groups of the optimizer: few of them, and layer-wise learning rates.

Fused kernels process one group at a time, so few groups are fast.
"""

from mmengine.optim import DefaultOptimWrapperConstructor
from mmpretrain.engine.optimizers import LearningRateDecayOptimWrapperConstructor
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


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class LayerDecayConstructor(LearningRateDecayOptimWrapperConstructor):
    """mmpretrain's layer-decay constructor that works with any model with our encoder.

    mmpretrain's constructor asks the model for the depth of a layer. Its classifiers
    have ``get_layer_depth``; mmsegmentation's models do not, so there the encoder is
    asked, and everything outside the encoder counts as the last layer. Equal parameter
    groups are merged.
    """

    def add_params(
        self, params: list, module: nn.Module, prefix: str = '', **kwargs
    ) -> None:
        """Add the parameters of a module to the list of groups, in place."""
        if not prefix and not hasattr(module, 'get_layer_depth'):
            depth = module.backbone.get_layer_depth
            kwargs['get_layer_depth'] = lambda name: depth(name, 'backbone.')
        super().add_params(params, module, prefix=prefix, **kwargs)
        if not prefix:
            params[:] = merge_groups(params, lr=self.base_lr, weight_decay=self.base_wd)
