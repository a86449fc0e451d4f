"""Softmax attention, with the faster kernel for the device and number of tokens."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import check


class Attention(nn.Module):
    """Multi-head self-attention (Vaswani et al. 2017) with biases of q, k and v.

    The bias of k adds the same number to all scores of a query, which softmax ignores.
    So weights of encoders without it (BootMAE, BEiT) load with a k bias of zero.

    Args:
        dim: Width of the tokens.
        num_heads: Number of heads.
        head_dim: Channels of a head. Defaults to None: ``dim / num_heads``.

    Raises:
        UserError: if ``dim / num_heads`` is needed and not a whole number.
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
        """Transform tokens (B, N, dim); with ``queries`` only that many, the last."""
        if queries is None:
            q, k, v = self.qkv(x).chunk(3, dim=-1)
        else:
            inner = self.proj.in_features
            weight, bias = self.qkv.weight, self.qkv.bias
            q = F.linear(x[:, -queries:], weight[:inner], bias[:inner])
            k, v = F.linear(x, weight[inner:], bias[inner:]).chunk(2, dim=-1)
        return self.proj(attend(q, k, v, self.num_heads))


class CrossAttention(nn.Module):
    """Multi-head attention from tokens to a context, which may have another width.

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
        """Transform tokens (B, N, dim) with a context (B, S, context_dim)."""
        k, v = self.kv(context).chunk(2, dim=-1)
        return self.proj(attend(self.q(x), k, v, self.num_heads))


# In bfloat16 on a CPU, batched matrix products replace torch's kernel up to this number
# of tokens. The backward pass of torch's kernel is 5 to 10 times slower there at 18 to
# 66 tokens, 2.5 times at 258 (docs/scaling.md). 0 always uses torch's kernel.
MAX_PLAIN_TOKENS = 512


def attend(q: Tensor, k: Tensor, v: Tensor, num_heads: int) -> Tensor:
    """Attend from q (B, N, H * d) to k and v (B, S, H * d); returns (B, N, H * d)."""
    q, k, v = (t.unflatten(-1, (num_heads, -1)).transpose(1, 2) for t in (q, k, v))
    reduced = q.device.type == 'cpu' and q.dtype != torch.float32
    if reduced and k.shape[2] <= MAX_PLAIN_TOKENS:
        x = attend_plain(q, k, v)
    else:
        x = F.scaled_dot_product_attention(q, k, v)
    return x.transpose(1, 2).flatten(2)


def attend_plain(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Compute ``F.scaled_dot_product_attention`` by batched matrix products."""
    shape = q.shape[:2]
    q, k, v = (t.flatten(0, 1) for t in (q, k, v))
    none = q.new_zeros(1, 1, 1)
    scale = q.shape[-1] ** -0.5
    scores = torch.baddbmm(none, q, k.transpose(1, 2), beta=0, alpha=scale)
    return torch.bmm(scores.softmax(dim=-1), v).unflatten(0, shape)
