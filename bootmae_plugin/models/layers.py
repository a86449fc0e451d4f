"""Transformer blocks: their architecture, initialization and position embedding.

Parameter names are timm's (``norm1``, ``attn.qkv``, ``mlp.fc1``, ...). The official MAE
and BootMAE code uses them, too, so that weights convert by name.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from timm.layers import DropPath, Mlp
from torch import Tensor, nn

from ..errors import check
from ..moved import moved_names
from .attention import Attention, CrossAttention

LN_EPS = 1e-6
ARCH_KEYS = ('embed_dims', 'num_layers', 'num_heads')
__getattr__ = moved_names(
    __name__,
    dict.fromkeys(
        ('Geometry', 'gather_tokens', 'grid_of'), 'bootmae_plugin.models.patches'
    ),
)


class Latent(NamedTuple):
    """Output of an encoder.

    Attributes:
        tokens: (B, E + K, D) extra and visible tokens after the final norm.
        blocks: Index of a block -> (B, E + K, D) its output, before the final norm.
            Only the requested blocks are there.
    """

    tokens: Tensor
    blocks: dict[int, Tensor]


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
        """Transform tokens (B, N, dim).

        With ``queries`` only that many tokens, the last ones, are computed; they attend
        to all tokens.
        """
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
            f'width {dim} is too small for num_heads={num_heads}: choose fewer heads '
            'or a larger embed_dims',
        )
        self.norm1 = nn.LayerNorm(dim, eps=LN_EPS)
        self.attn = Attention(dim, num_heads, head_dim)
        self.norm_query = nn.LayerNorm(dim, eps=LN_EPS)
        self.norm_context = nn.LayerNorm(context_dim, eps=LN_EPS)
        self.cross_attn = CrossAttention(dim, num_heads, context_dim, head_dim)
        self.norm2 = nn.LayerNorm(dim, eps=LN_EPS)
        self.mlp = Mlp(dim, int(dim * mlp_ratio))

    def forward(self, x: Tensor, context: Tensor, queries: int | None = None) -> Tensor:
        """Transform tokens (B, N, dim) with a context (B, S, context_dim).

        With ``queries`` only that many tokens, the last ones, are computed; they attend
        to all tokens.
        """
        attended = self.attn(self.norm1(x), queries)
        x = x[:, -attended.shape[1] :] + attended
        x = x + self.cross_attn(self.norm_query(x), self.norm_context(context))
        return x + self.mlp(self.norm2(x))


class QueryBlock(nn.Module):
    """Pre-norm cross-attention and MLP, without self-attention (CrossMAE).

    The context has to be normalized already.

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
        """Transform tokens (B, P, dim) with a context (B, N, dim)."""
        x = x + self.cross_attn(self.norm1(x), context)
        return x + self.mlp(self.norm2(x))


class SharedBiasLinear(nn.Linear):
    """Linear layer with fewer biases than outputs: output i has bias i mod n.

    Args:
        in_features: Width of the input.
        num_biases: Number n of biases.
        out_features: Width of the output, a multiple of n.
    """

    def __init__(self, in_features: int, num_biases: int, out_features: int) -> None:
        super().__init__(in_features, out_features)
        self.bias = nn.Parameter(torch.zeros(num_biases))

    def forward(self, x: Tensor) -> Tensor:
        """Transform (..., in_features) to (..., out_features)."""
        bias = self.bias.repeat(self.out_features // len(self.bias))
        return F.linear(x, self.weight, bias)


BLOCKS = (Block, CrossBlock, QueryBlock)


def init_transformer(module: nn.Module) -> None:
    """Initialize as MAE does: xavier-uniform linear layers, zero biases.

    For ``module.apply``. A patch projection is initialized as a linear layer.
    """
    if isinstance(module, nn.Linear | nn.Conv2d):
        nn.init.xavier_uniform_(module.weight.flatten(1))
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.LayerNorm):
        nn.init.ones_(module.weight)
        nn.init.zeros_(module.bias)


def init_separate_qkv(module: nn.Module) -> None:
    """Initialize q, k and v as three matrices, as BootMAE does.

    For ``module.apply`` after :func:`init_transformer`. Xavier's bound is larger for
    three matrices than for the joint one.
    """
    if isinstance(module, Attention):
        bound = (6 / (module.qkv.out_features / 3 + module.qkv.in_features)) ** 0.5
        nn.init.uniform_(module.qkv.weight, -bound, bound)


def sincos_pos_embed(dim: int, grid: tuple[int, int], num_extra_tokens: int) -> Tensor:
    """Return MAE's fixed 2-D sine-cosine position embedding.

    The first half of the channels encodes the column, the second half the row, as in
    the official code. mmpretrain's helper is wrong for non-square grids.

    Args:
        dim: Width, divisible by 4.
        grid: Patches as (rows, columns).
        num_extra_tokens: Rows of zeros in front, for the class token and its like.

    Returns:
        Tensor of shape (1, num_extra_tokens + rows * columns, dim).

    Raises:
        UserError: if the width is not divisible by 4.
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


def resolve_arch(arch: str | dict, zoo: dict[str, dict], encoder: str) -> dict:
    """Return the sizes of an architecture.

    Args:
        arch: A name in ``zoo``, or the sizes themselves: ``embed_dims``,
            ``num_layers``, ``num_heads`` and optionally ``mlp_ratio``.
        zoo: Name -> sizes.
        encoder: Name of the encoder, for the error message.

    Raises:
        UserError: if the name is unknown, or a key is missing or unknown.
    """
    if isinstance(arch, str):
        check(
            arch in zoo,
            f'unknown arch={arch!r} of {encoder}: choose one of {sorted(zoo)} or give '
            f'a dict with the keys {ARCH_KEYS}',
        )
        return zoo[arch]
    missing = [key for key in ARCH_KEYS if key not in arch]
    unknown = [key for key in arch if key not in (*ARCH_KEYS, 'mlp_ratio')]
    check(
        not missing and not unknown,
        f'arch={dict(arch)} needs the keys {ARCH_KEYS} and optionally mlp_ratio; '
        f'missing {missing}, unknown {unknown}',
    )
    return arch
