"""Decoders equal naive implementations, one sample or one query at a time."""

import pytest
import torch

from bootmae_plugin import UserError
from bootmae_plugin.models import (
    CrossAttentionDecoder,
    CrossMAEDecoder,
    GridMasking,
    MAEDecoder,
    RandomMasking,
)
from bootmae_plugin.models.layers import Latent
from bootmae_plugin.models.patches import Geometry

GEOMETRY = Geometry((32, 32), 4, 3, 48, 12, 2)


def naive(decoder, latent, mask):
    """Restore the raster order, one sample at a time, as in the figure of the paper."""
    out = []
    x = decoder.embed(latent)
    for b in range(len(latent)):
        row = decoder.mask_token[0].repeat(64, 1)
        for token, index in zip(x[b, 2:], mask.ids_keep[b], strict=True):
            row[index] = token
        row = torch.cat([x[b, :2], row]) + decoder.pos_embed[0]
        row = row[None]
        for block in decoder.blocks:
            row = block(row)
        out.append(decoder.norm(row)[0, 2:][mask.ids_mask[b]])
    return torch.stack(out)


def test_mae_decoder_equals_the_naive_one_with_gradients():
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


class SecondHalf(MAEDecoder):
    """Predicts half of the masked patches, as a subclass of a user might."""

    def choose(self, mask):
        half = mask.ids_mask.shape[1] // 2
        return mask._replace(chosen=mask.ids_mask[:, half:])


class SecondHalfCross(CrossAttentionDecoder):
    choose = SecondHalf.choose


def test_a_subclass_may_choose_the_patches_to_predict():
    decoder = SecondHalf(GEOMETRY, embed_dims=32, depth=2, num_heads=4)
    mask = RandomMasking(0.75)(3, (8, 8), torch.device('cpu'))
    latent = torch.randn(3, 18, 48)
    chosen = decoder.choose(mask)
    ours = decoder(Latent(latent, {}), chosen)
    assert ours.shape == (3, 24, 32)
    # Extra, visible and chosen tokens alone attend to each other.
    tokens = decoder.embed(latent)
    positions = decoder.pos_embed[0, 2:]
    for b in range(3):
        rows = [tokens[b, :2] + decoder.pos_embed[0, :2]]
        rows.append(tokens[b, 2:] + positions[mask.ids_keep[b]])
        rows.append(decoder.mask_token[0] + positions[mask.ids_mask[b, 24:]])
        x = torch.cat(rows)[None]
        for block in decoder.blocks:
            x = block(x)
        assert torch.allclose(ours[b], decoder.norm(x)[0, -24:], atol=1e-5)


def test_a_subclass_may_choose_in_the_cross_attention_decoder():
    decoder = SecondHalfCross(GEOMETRY, embed_dims=32, num_heads=4)
    mask = RandomMasking(0.75)(3, (8, 8), torch.device('cpu'))
    latent = torch.randn(3, 18, 48)
    chosen = decoder.choose(mask)
    out = decoder(Latent(latent, {11: latent}), chosen)
    assert out.shape == (3, 24, 32)


def test_cross_mae_decodes_every_query_by_itself():
    decoder = CrossMAEDecoder(GEOMETRY, embed_dims=32, depth=2, num_heads=4)
    mask = RandomMasking(0.75)(2, (8, 8), torch.device('cpu'))
    latent = Latent(torch.randn(2, 18, 48), {})
    ours = decoder(latent, decoder.choose(mask))
    assert ours.shape == (2, 48, 32)
    context = decoder.norm_context(decoder.embed(latent.tokens))
    for i in range(48):  # one query at a time
        pos_embed = decoder.pos_embed[0, 2:][mask.ids_mask[:, i : i + 1]]
        x = decoder.mask_token + pos_embed
        for block in decoder.blocks:
            heads = [
                t.unflatten(-1, (4, 8))
                for t in (
                    block.cross_attn.q(block.norm1(x)),
                    *block.cross_attn.kv(context).chunk(2, dim=-1),
                )
            ]
            scores = torch.einsum('bqhd,bkhd->bhqk', heads[0], heads[1]) / 8**0.5
            y = torch.einsum('bhqk,bkhd->bqhd', scores.softmax(-1), heads[2])
            x = x + block.cross_attn.proj(y.flatten(2))
            x = x + block.mlp(block.norm2(x))
        assert torch.allclose(ours[:, i : i + 1], decoder.norm(x), atol=1e-5)


@pytest.mark.parametrize('masking', [RandomMasking, GridMasking])
def test_a_share_of_the_masked_patches_is_predicted(masking):
    decoder = CrossMAEDecoder(
        GEOMETRY, embed_dims=32, depth=2, num_heads=4, predict_ratio=0.25
    )
    mask = masking(0.75)(64, (8, 8), torch.device('cpu'))
    latent = Latent(torch.randn(64, 18, 48), {})
    chosen = decoder.choose(mask)
    assert chosen.ids_predict.shape == (64, 12)
    for row, masked in zip(chosen.ids_predict, mask.ids_mask, strict=True):
        assert len(set(row.tolist())) == 12  # no patch twice, masked ones only
        assert set(row.tolist()) <= set(masked.tolist())
    # Every position is chosen sometimes, for masks in raster order, too.
    counts = torch.bincount(chosen.ids_predict.flatten(), minlength=64)
    assert (counts > 0).all()
    assert torch.equal(chosen.dense(), mask.dense())
    # Leaving patches out does not change the predictions of the others.
    everything = decoder(latent, mask)
    index = (mask.ids_mask[:, None] == chosen.ids_predict[..., None]).int().argmax(-1)
    expected = everything.gather(1, index[..., None].expand(-1, -1, 32))
    assert torch.allclose(decoder(latent, chosen), expected, atol=1e-5)


@pytest.mark.parametrize('ratio', [0.0, 1.5])
def test_a_predict_ratio_out_of_range_is_refused(ratio):
    with pytest.raises(UserError, match=f'predict_ratio={ratio}'):
        CrossMAEDecoder(GEOMETRY, embed_dims=32, num_heads=4, predict_ratio=ratio)


@pytest.mark.parametrize('decoder', [MAEDecoder, CrossAttentionDecoder])
def test_a_decoder_without_blocks_is_refused(decoder):
    with pytest.raises(UserError, match='depth=0'):
        decoder(GEOMETRY, embed_dims=32, num_heads=4, depth=0)


def test_an_injected_block_out_of_range_is_refused():
    with pytest.raises(UserError, match='inject=12.*blocks 0 to 11'):
        CrossAttentionDecoder(GEOMETRY, embed_dims=24, num_heads=2, inject=12)
