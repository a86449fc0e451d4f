"""Layer-wise learning-rate decay for models that do not know their layers' depth."""

from mmpretrain.engine.optimizers import LearningRateDecayOptimWrapperConstructor
from mmpretrain.registry import OPTIM_WRAPPER_CONSTRUCTORS
from torch import nn

from .param_groups import merge_groups


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class LayerDecayConstructor(LearningRateDecayOptimWrapperConstructor):
    """mmpretrain's constructor, asking the backbone where the model cannot answer.

    mmpretrain's classifiers have ``get_layer_depth``; mmsegmentation's models do not,
    but the encoder in them does. All that is not the encoder counts as the last layer.
    Equal parameter groups are merged.
    """

    def add_params(
        self, params: list, module: nn.Module, prefix: str = '', **kwargs
    ) -> None:
        if not prefix and not hasattr(module, 'get_layer_depth'):
            depth = module.backbone.get_layer_depth
            kwargs['get_layer_depth'] = lambda name: depth(name, 'backbone.')
        super().add_params(params, module, prefix=prefix, **kwargs)
        if not prefix:
            params[:] = merge_groups(params, lr=self.base_lr, weight_decay=self.base_wd)
