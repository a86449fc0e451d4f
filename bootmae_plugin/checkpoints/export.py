"""Weights of other code: recognising them by their keys, and renaming them to ours.

The encoder's names are timm's, so most of it is the same everywhere.
"""

from ..errors import check
from .formats import Weights, _block_name, _rename


def to_timm(encoder: Weights) -> Weights:
    """This plugin's encoder -> timm's ViT or distilled DeiT, without its heads."""
    return dict(encoder)


def to_mmpretrain(encoder: Weights) -> Weights:
    """This plugin's encoder -> mmpretrain's VisionTransformer, under ``backbone.``."""
    renamed = {}
    for key, value in encoder.items():
        if key.startswith('blocks.'):
            name = 'layers.' + str(_block_name(key.removeprefix('blocks.'), True))
        else:
            name = key.replace('patch_embed.proj.', 'patch_embed.projection.')
            name = f'ln1.{name.removeprefix("norm.")}' if name[:5] == 'norm.' else name
        renamed[f'backbone.{name}'] = value
    return renamed


def export_encoder(weights: Weights, where: str) -> Weights:
    """The student's encoder of a checkpoint of this plugin, without a prefix."""
    encoder = _rename(weights, [('backbone.', '')])
    check(
        bool(encoder),
        f'{where} holds no encoder of this plugin (no key begins with backbone.): '
        'convert it to the plugin first',
    )
    return encoder
