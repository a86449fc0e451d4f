"""The transformer blocks of encoders and decoders, and patch geometry.

Parameter names are timm's (``norm1``, ``attn.qkv``, ``mlp.fc1``, ...), which are also
those of the official MAE and BootMAE code, so that weights convert by name.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from timm.layers import DropPath, Mlp
from torch import Tensor, nn

from ..errors import check
from .attention import Attention, CrossAttention

LN_EPS = 1e-6


@dataclass(frozen=True)  # a NamedTuple does not survive mmengine's ConfigDict
class Geometry:
    """What decoders, heads and teachers need to know of an encoder."""

    img_size: tuple[int, int]
    patch_size: int
    in_channels: int
    embed_dims: int
    num_layers: int
    num_extra_tokens: int

    @property
    def grid(self) -> tuple[int, int]:
        """Patches as (rows, columns)."""
        return grid_of(self.img_size, self.patch_size)

    @property
    def num_patches(self) -> int:
        rows, cols = self.grid
        return rows * cols


class Latent(NamedTuple):
    """What an encoder gives.

    Attributes:
        tokens: (B, E + K, D) extra and visible tokens after the final norm.
        blocks: The same tokens as they left the blocks that were asked for, by index,
            before the final norm.
    """

    tokens: Tensor
    blocks: dict[int, Tensor]


def grid_of(img_size: tuple[int, int], patch_size: int) -> tuple[int, int]:
    """Patches of an image as (rows, columns).

    Raises:
        UserError: if a side of the image is not a multiple of the patch size.
    """
    h, w = img_size
    check(
        h % patch_size == 0 and w % patch_size == 0 and h > 0 and w > 0,
        f'image size {h}x{w} is not divisible by patch_size={patch_size}: '
        'resize the images or choose a patch size that divides both sides',
    )
    return h // patch_size, w // patch_size


class Block(nn.Module):
    """Pre-norm transformer block: ``x + attn(norm1(x))``, ``x + mlp(norm2(x))``.

    Args:
        dim: Width of the tokens.
        num_heads: Number of attention heads.
        mlp_ratio: Hidden width of the MLP over ``dim``. Defaults to 4.
        drop_path: Probability of dropping a residual branch. Defaults to 0.
    """

    def __init__(
        self, dim: int, num_heads: int, mlp_ratio: float = 4.0, drop_path: float = 0.0
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=LN_EPS)
        self.attn = Attention(dim, num_heads)
        self.norm2 = nn.LayerNorm(dim, eps=LN_EPS)
        self.mlp = Mlp(dim, int(dim * mlp_ratio))
        self.drop_path = DropPath(drop_path) if drop_path else nn.Identity()

    def forward(self, x: Tensor, queries: int | None = None) -> Tensor:
        """(B, N, dim) -> (B, N, dim), or the last ``queries`` tokens of it: in the last
        block the others are only looked at, and not computed."""
        attended = self.attn(self.norm1(x), queries)
        x = x[:, -attended.shape[1] :] + self.drop_path(attended)
        return x + self.drop_path(self.mlp(self.norm2(x)))


class CrossBlock(nn.Module):
    """Self-attention, cross-attention to a context, MLP; pre-norm, residual (BootMAE).

    Args:
        dim: Width of the tokens.
        num_heads: Number of attention heads, of ``dim // num_heads`` channels.
        context_dim: Width of the context.
        mlp_ratio: Hidden width of the MLP over ``dim``. Defaults to 4.
    """

    def __init__(
        self, dim: int, num_heads: int, context_dim: int, mlp_ratio: float = 4.0
    ) -> None:
        super().__init__()
        head_dim = dim // num_heads
        check(
            head_dim > 0,
            f'width {dim} gives num_heads={num_heads} heads no channel: choose fewer '
            'heads or a larger embed_dims',
        )
        self.norm1 = nn.LayerNorm(dim, eps=LN_EPS)
        self.attn = Attention(dim, num_heads, head_dim)
        self.norm_query = nn.LayerNorm(dim, eps=LN_EPS)
        self.norm_context = nn.LayerNorm(context_dim, eps=LN_EPS)
        self.cross_attn = CrossAttention(dim, num_heads, context_dim, head_dim)
        self.norm2 = nn.LayerNorm(dim, eps=LN_EPS)
        self.mlp = Mlp(dim, int(dim * mlp_ratio))

    def forward(self, x: Tensor, context: Tensor, queries: int | None = None) -> Tensor:
        """(B, N, dim) -> (B, N, dim), or the last ``queries`` tokens of it."""
        attended = self.attn(self.norm1(x), queries)
        x = x[:, -attended.shape[1] :] + attended
        x = x + self.cross_attn(self.norm_query(x), self.norm_context(context))
        return x + self.mlp(self.norm2(x))


class QueryBlock(nn.Module):
    """Pre-norm cross-attention and MLP, no self-attention; the context comes normed.

    Args:
        dim: Width of the tokens and of the context.
        num_heads: Number of attention heads.
        mlp_ratio: Hidden width of the MLP over ``dim``.
    """

    def __init__(self, dim: int, num_heads: int, mlp_ratio: float) -> None:
        super().__init__()
        check(
            dim % num_heads == 0,
            f'width {dim} is not divisible by num_heads={num_heads}: '
            'choose a number of heads that divides the width',
        )
        self.norm1 = nn.LayerNorm(dim, eps=LN_EPS)
        self.cross_attn = CrossAttention(dim, num_heads, dim, dim // num_heads)
        self.norm2 = nn.LayerNorm(dim, eps=LN_EPS)
        self.mlp = Mlp(dim, int(dim * mlp_ratio))

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """(B, P, dim), (B, N, dim) -> (B, P, dim)."""
        x = x + self.cross_attn(self.norm1(x), context)
        return x + self.mlp(self.norm2(x))


BLOCKS = (Block, CrossBlock, QueryBlock)


def init_transformer(module: nn.Module) -> None:
    """MAE's initialisation, for ``module.apply``: xavier-uniform linears, zero biases.

    Patch projections are initialised as the linear layer they are.
    """
    if isinstance(module, nn.Linear | nn.Conv2d):
        nn.init.xavier_uniform_(module.weight.flatten(1))
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.LayerNorm):
        nn.init.ones_(module.weight)
        nn.init.zeros_(module.bias)


def init_separate_qkv(module: nn.Module) -> None:
    """For ``module.apply`` after :func:`init_transformer`: q, k and v are matrices of
    their own (BootMAE), which makes xavier's bound larger than for the joint one."""
    if isinstance(module, Attention):
        bound = (6 / (module.qkv.out_features / 3 + module.qkv.in_features)) ** 0.5
        nn.init.uniform_(module.qkv.weight, -bound, bound)


def sincos_position(dim: int, grid: tuple[int, int], num_extra_tokens: int) -> Tensor:
    """Fixed 2-D sine-cosine position embedding of MAE, zeros for the extra tokens.

    The first half of the channels encodes the column, the second the row, as in the
    official code; unlike mmpretrain's helper it is right for non-square grids.

    Args:
        dim: Width, divisible by 4.
        grid: Patches as (rows, columns).
        num_extra_tokens: Rows of zeros put in front (class token, ...).

    Returns:
        Tensor of shape (1, num_extra_tokens + rows * columns, dim).
    """
    check(
        dim % 4 == 0,
        f'a sin-cos position embedding needs a width divisible by 4, got {dim}',
    )
    rows, cols = grid
    omega = 1.0 / 10000 ** (torch.arange(dim // 4, dtype=torch.float64) / (dim / 4))

    def encode(position: Tensor) -> Tensor:
        angle = position.double().flatten()[:, None] * omega
        return torch.cat([angle.sin(), angle.cos()], dim=1)

    row, col = torch.meshgrid(torch.arange(rows), torch.arange(cols), indexing='ij')
    patches = torch.cat([encode(col), encode(row)], dim=1)
    extra = patches.new_zeros(num_extra_tokens, dim)
    return torch.cat([extra, patches])[None].float()


def gather_tokens(x: Tensor, ids: Tensor) -> Tensor:
    """Pick tokens: (B, L, C) and indices (V * B, N) -> (V * B, N, C).

    With V > 1 the indices are V views of the batch, one after another.
    """
    views = ids.unflatten(0, (-1, len(x)))[..., None]  # (V, B, N, 1)
    x = x.expand(len(views), -1, -1, -1)  # no copy
    return x.gather(2, views.expand(-1, -1, -1, x.shape[-1])).flatten(0, 1)
