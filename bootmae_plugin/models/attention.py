"""Softmax attention, by whichever kernel is fast for the tokens at hand."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import check


class Attention(nn.Module):
    """Multi-head self-attention (Vaswani et al. 2017), bias on q, k and v.

    A bias of k adds the same to all scores of a query, so it changes nothing: encoders
    without one (BootMAE, BEiT) are this one with any k bias.

    Args:
        dim: Width of the tokens.
        num_heads: Number of heads.
        head_dim: Channels of a head. Defaults to ``dim / num_heads``, which must be
            whole.
    """

    def __init__(self, dim: int, num_heads: int, head_dim: int | None = None) -> None:
        super().__init__()
        check(
            head_dim is not None or dim % num_heads == 0,
            f'width {dim} is not divisible by num_heads={num_heads}: '
            'choose a number of heads that divides the width',
        )
        self.num_heads = num_heads
        inner = num_heads * (head_dim or dim // num_heads)
        self.qkv = nn.Linear(dim, 3 * inner)
        self.proj = nn.Linear(inner, dim)

    def forward(self, x: Tensor, queries: int | None = None) -> Tensor:
        """(B, N, dim) -> (B, N, dim), or the last ``queries`` tokens of it."""
        if queries is None:
            q, k, v = self.qkv(x).chunk(3, dim=-1)
        else:
            inner = self.proj.in_features
            weight, bias = self.qkv.weight, self.qkv.bias
            q = F.linear(x[:, -queries:], weight[:inner], bias[:inner])
            k, v = F.linear(x, weight[inner:], bias[inner:]).chunk(2, dim=-1)
        return self.proj(attend(q, k, v, self.num_heads))


class CrossAttention(nn.Module):
    """Multi-head attention of tokens to a context of another width.

    Args:
        dim: Width of the tokens.
        num_heads: Number of heads.
        context_dim: Width of the context.
        head_dim: Channels of a head.
    """

    def __init__(
        self, dim: int, num_heads: int, context_dim: int, head_dim: int
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        inner = num_heads * head_dim
        self.q = nn.Linear(dim, inner)
        self.kv = nn.Linear(context_dim, 2 * inner)
        self.proj = nn.Linear(inner, dim)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        k, v = self.kv(context).chunk(2, dim=-1)
        return self.proj(attend(self.q(x), k, v, self.num_heads))


# The backward pass of torch's CPU attention kernel is slow in bfloat16: 5 to 10 times
# slower than batched matrix products at 18 to 66 tokens, 2.5 times at 258 (measured,
# docs/scaling.md). Up to this number of tokens they are used instead; 0 switches to
# torch's kernel throughout.
MAX_PLAIN_TOKENS = 512


def attend(q: Tensor, k: Tensor, v: Tensor, num_heads: int) -> Tensor:
    """Softmax attention, heads in the last axis: (B, N, H * d) and (B, S, H * d)."""
    q, k, v = (t.unflatten(-1, (num_heads, -1)).transpose(1, 2) for t in (q, k, v))
    reduced = q.device.type == 'cpu' and q.dtype != torch.float32
    if reduced and k.shape[2] <= MAX_PLAIN_TOKENS:
        x = attend_plain(q, k, v)
    else:
        x = F.scaled_dot_product_attention(q, k, v)
    return x.transpose(1, 2).flatten(2)


def attend_plain(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """``F.scaled_dot_product_attention`` as batched matrix products."""
    shape = q.shape[:2]
    q, k, v = (t.flatten(0, 1) for t in (q, k, v))
    none = q.new_zeros(1, 1, 1)
    scale = q.shape[-1] ** -0.5
    scores = torch.baddbmm(none, q, k.transpose(1, 2), beta=0, alpha=scale)
    return torch.bmm(scores.softmax(dim=-1), v).unflatten(0, shape)
