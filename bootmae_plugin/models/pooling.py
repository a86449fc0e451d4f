"""Pooling: turn a sequence of tokens into the features that a head takes."""

import re

import torch.nn.functional as F
from mmengine.model import BaseModule
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from ..errors import UserError, check
from .layers import LN_EPS
from .patches import Geometry

OUT_TYPES = (
    'raw',
    'featmap',
    'avg',
    'grid2x2',
    'cls',
    'cls+dist',
    'distilled',
    'flatten',
    'flatten_all',
)
WITHOUT_LAYOUT = ('avg', 'cls', 'cls+dist', 'distilled')  # any number of patches


def check_out_type(out_type: str, geometry: Geometry) -> None:
    """Check that an encoder can give an ``out_type`` (see :class:`MaskedViT`).

    Raises:
        UserError: if it is unknown, or the encoder has another number of tokens.
    """
    patches, extra = geometry.num_patches, geometry.num_extra_tokens
    numbered = re.fullmatch(r'flatten(\d+)', out_type)
    if numbered:
        check(
            int(numbered[1]) in (patches, patches + extra),
            f'out_type={out_type!r}: this encoder has {patches} patch tokens and '
            f'{patches + extra} tokens in all, so it must be flatten{patches} or '
            f'flatten{patches + extra}',
        )
        return
    check(
        out_type in OUT_TYPES,
        f'unknown out_type={out_type!r} (pooling of the tokens): choose one of '
        f'{OUT_TYPES}, or flatten{patches} or flatten{patches + extra}',
    )
    check(
        out_type not in ('cls+dist', 'distilled') or extra == 2,
        f'out_type={out_type!r} needs a distillation token, which only MaskedDeiT has: '
        "choose 'cls'",
    )


def check_patch_drop(rate: float, out_type: str) -> None:
    """Check that patches may be left out before this pooling.

    Raises:
        UserError: if the rate is not in [0, 1), or the features need every patch.
    """
    check(
        0 <= rate < 1,
        f'patch_drop_rate={rate} must be at least 0 and less than 1; 0 keeps all',
    )
    check(
        not rate or out_type in WITHOUT_LAYOUT,
        f'patch_drop_rate={rate} leaves out patches that out_type={out_type!r} needs: '
        f'set it to 0, or choose one of {WITHOUT_LAYOUT}',
    )


def pool_tokens(
    x: Tensor, out_type: str, grid: tuple[int, int], num_extra_tokens: int
) -> Tensor | tuple[Tensor, Tensor]:
    """Pool tokens (B, E + L, D).

    Args:
        x: (B, E + L, D) tokens.
        out_type: Form of the result, see :class:`MaskedViT`.
        grid: Patches of the image as (rows, columns).
        num_extra_tokens: Number E of tokens in front of the patches.

    Raises:
        UserError: if ``out_type`` names another number of tokens.
    """
    patches = x[:, num_extra_tokens:]
    if out_type == 'raw':
        return x
    if out_type in ('featmap', 'grid2x2'):
        maps = patches.transpose(1, 2).reshape(x.shape[0], -1, *grid)
        if out_type == 'featmap':
            return maps
        return F.adaptive_avg_pool2d(maps, 2).flatten(1)  # (B, 4 D)
    if out_type == 'avg':
        return patches.mean(dim=1)
    if out_type == 'cls':
        return x[:, 0]
    if out_type == 'cls+dist':
        return x[:, :2].flatten(1)
    if out_type == 'distilled':  # for mmpretrain's DeiTClsHead
        return x[:, 0], x[:, 1]
    if out_type in ('flatten', f'flatten{patches.shape[1]}'):
        return patches.flatten(1)
    if out_type in ('flatten_all', f'flatten{x.shape[1]}'):
        return x.flatten(1)
    raise UserError(
        f'out_type={out_type!r} does not fit {x.shape[1]} tokens: the image has '
        "another size than the encoder's img_size; choose 'flatten'"
    )


@MODELS.register_module()
class NormNeck(BaseModule):
    """Layer norm between the pooled features and the head (finetuning as in MAE).

    Args:
        embed_dims: Width D of the features.
    """

    def __init__(self, embed_dims: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(embed_dims, eps=LN_EPS)

    def forward(self, features: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Normalize each feature (B, D)."""
        return tuple(self.norm(x) for x in features)
