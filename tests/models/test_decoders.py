"""The decoder equals MAE's unshuffled one, written out naively."""

import torch

from bootmae_plugin.models import MAEDecoder, RandomMasking
from bootmae_plugin.models.layers import Geometry, Latent

GEOMETRY = Geometry((32, 32), 4, 3, 48, 12, 2)


def naive(decoder, latent, mask):
    """Mask tokens put to their places, one sample at a time, as the paper draws it."""
    out = []
    x = decoder.embed(latent)
    for b in range(len(latent)):
        row = decoder.mask_token[0].repeat(64, 1)
        for token, place in zip(x[b, 2:], mask.ids_keep[b], strict=True):
            row[place] = token
        row = torch.cat([x[b, :2], row]) + decoder.pos_embed[0]
        row = row[None]
        for block in decoder.blocks:
            row = block(row)
        out.append(decoder.norm(row)[0, 2:][mask.ids_mask[b]])
    return torch.stack(out)


def test_equals_the_naive_decoder_with_gradients():
    decoder = MAEDecoder(GEOMETRY, embed_dims=32, depth=2, num_heads=4)
    mask = RandomMasking(0.75)(3, (8, 8), torch.device('cpu'))
    latent = torch.randn(3, 18, 48, requires_grad=True)
    ours = decoder(Latent(latent, {}), mask)
    theirs = naive(decoder, latent, mask)
    assert ours.shape == (3, 48, 32)
    assert torch.allclose(ours, theirs, atol=1e-5)
    weight = torch.randn_like(ours)
    parameters = [latent, *(p for p in decoder.parameters() if p.requires_grad)]
    a = torch.autograd.grad((ours * weight).sum(), parameters)
    b = torch.autograd.grad((theirs * weight).sum(), parameters)
    for x, y in zip(a, b, strict=True):
        assert torch.allclose(x, y, rtol=1e-4, atol=1e-4)
