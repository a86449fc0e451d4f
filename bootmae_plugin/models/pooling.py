"""From a sequence of tokens to what a downstream head takes."""

import re

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
    'cls',
    'cls+dist',
    'distilled',
    'flatten',
    'flatten_all',
)


def check_out_type(out_type: str, geometry: Geometry) -> None:
    """Check an ``out_type`` against the encoder it is meant for.

    Raises:
        UserError: if it is unknown, or names a number of tokens that is not there.
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


def pooled_dims(out_type: str, geometry: Geometry) -> int:
    """Width of the pooled feature; a linear layer on top has so many inputs."""
    extra, patches = geometry.num_extra_tokens, geometry.num_patches
    tokens = {'cls+dist': 2, 'flatten': patches, 'flatten_all': extra + patches}
    if numbered := re.fullmatch(r'flatten(\d+)', out_type):
        return int(numbered[1]) * geometry.embed_dims
    return tokens.get(out_type, 1) * geometry.embed_dims


def pool_tokens(
    x: Tensor, out_type: str, grid: tuple[int, int], num_extra_tokens: int
) -> Tensor | tuple[Tensor, Tensor]:
    """Shape tokens (B, E + L, D) as ``out_type`` says (see :class:`MaskedViT`)."""
    patches = x[:, num_extra_tokens:]
    if out_type == 'raw':
        return x
    if out_type == 'featmap':
        return patches.transpose(1, 2).reshape(len(x), -1, *grid)
    if out_type == 'avg':
        return patches.mean(dim=1)
    if out_type == 'cls':
        return x[:, 0]
    if out_type == 'cls+dist':
        return x[:, :2].flatten(1)
    if out_type == 'distilled':  # what mmpretrain's DeiTClsHead takes
        return x[:, 0], x[:, 1]
    if out_type in ('flatten', f'flatten{patches.shape[1]}'):
        return patches.flatten(1)
    if out_type in ('flatten_all', f'flatten{x.shape[1]}'):
        return x.flatten(1)
    raise UserError(
        f'out_type={out_type!r} does not fit a sequence of {x.shape[1]} tokens: the '
        "image has another size than the encoder was built for; use 'flatten'"
    )


@MODELS.register_module()
class NormNeck(BaseModule):
    """A new layer norm between pooled features and head (finetuning of MAE, BootMAE).

    Args:
        embed_dims: Width of the features.
    """

    def __init__(self, embed_dims: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(embed_dims, eps=LN_EPS)

    def forward(self, features: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Norm of each (B, embed_dims)."""
        return tuple(self.norm(x) for x in features)
