"""Attention gives the same values with every kernel and for a part of the tokens."""

import pytest
import torch
import torch.nn.functional as F

from bootmae_plugin.models import attention
from bootmae_plugin.models.attention import Attention, attend_plain
from bootmae_plugin.models.layers import Block, CrossBlock


def grads(loss, *tensors):
    return torch.autograd.grad(loss, tensors)


@pytest.mark.parametrize('tokens', [(18, 18), (48, 66)])
def test_plain_attention_equals_torch_with_gradients(tokens):
    q = torch.randn(2, 3, tokens[0], 16, requires_grad=True)
    k, v = (torch.randn(2, 3, tokens[1], 16, requires_grad=True) for _ in range(2))
    ours, theirs = attend_plain(q, k, v), F.scaled_dot_product_attention(q, k, v)
    assert torch.allclose(ours, theirs, atol=1e-5)
    weight = torch.randn_like(ours)
    ours = grads((ours * weight).sum(), q, k, v)
    theirs = grads((theirs * weight).sum(), q, k, v)
    for a, b in zip(ours, theirs, strict=True):
        assert torch.allclose(a, b, atol=1e-5)


def test_bfloat16_on_a_cpu_uses_plain_attention_and_is_accurate(monkeypatch):
    calls = []
    plain = attend_plain
    monkeypatch.setattr(
        attention, 'attend_plain', lambda *args: calls.append(1) or plain(*args)
    )
    layer, x = Attention(48, 3), torch.randn(2, 18, 48)
    exact = layer(x)
    assert not calls  # float32 uses torch's kernel
    with torch.autocast('cpu', torch.bfloat16):
        fast = layer(x)
    assert len(calls) == 1
    monkeypatch.setattr(attention, 'MAX_PLAIN_TOKENS', 0)  # the switch
    with torch.autocast('cpu', torch.bfloat16):
        torchs = layer(x)
    assert len(calls) == 1
    scale = exact.abs().max()
    assert (fast.float() - exact).abs().max() < 0.02 * scale  # 8 bits
    assert (torchs.float() - exact).abs().max() < 0.02 * scale


@pytest.mark.parametrize('kind', ['self', 'cross'])
def test_computing_the_last_tokens_only_gives_the_same_values(kind):
    x = torch.randn(2, 10, 24, requires_grad=True)
    context = torch.randn(2, 5, 32)
    if kind == 'self':
        block, rest = Block(24, 4), ()
    else:
        block, rest = CrossBlock(24, 4, 32), (context,)
    whole, part = block(x, *rest)[:, -6:], block(x, *rest, queries=6)
    assert part.shape == (2, 6, 24)
    assert torch.allclose(whole, part, atol=1e-6)
    weight = torch.randn_like(part)
    tensors = [x, *block.parameters()]
    a = grads((whole * weight).sum(), *tensors)
    b = grads((part * weight).sum(), *tensors)
    for one, two in zip(a, b, strict=True):
        assert torch.allclose(one, two, atol=1e-4)
