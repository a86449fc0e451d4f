"""Layer-wise decay of the learning rate, for models of mmsegmentation, too."""

from mmpretrain.engine.optimizers import LearningRateDecayOptimWrapperConstructor
from mmpretrain.registry import OPTIM_WRAPPER_CONSTRUCTORS
from torch import nn

from .param_groups import merge_groups


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
