"""Encoders: parity with timm, masks, pooling, freezing, layer depth, bad input."""

import pytest
import timm
import torch

from bootmae_plugin import UserError
from bootmae_plugin.models import MaskedDeiT, MaskedViT, RandomMasking
from bootmae_plugin.models.layers import sincos_pos_embed

SMALL = dict(embed_dims=48, num_layers=3, num_heads=3)


def small(**kwargs):
    return MaskedDeiT(**{**dict(arch=SMALL, img_size=32, patch_size=4), **kwargs})


@pytest.mark.parametrize(
    ('img_size', 'patch_size', 'width'), [(224, 16, 192), (32, 4, 48), (64, 8, 96)]
)
def test_unmasked_deit_equals_timm(img_size, patch_size, width):
    theirs = timm.create_model(
        'deit_tiny_distilled_patch16_224',
        img_size=img_size,
        patch_size=patch_size,
        embed_dim=width,
    ).eval()
    torch.nn.init.normal_(theirs.pos_embed, std=0.5)
    torch.nn.init.normal_(theirs.dist_token)
    ours = MaskedDeiT(
        arch=dict(embed_dims=width, num_layers=12, num_heads=3),
        img_size=img_size,
        patch_size=patch_size,
        out_type='raw',
    ).eval()
    weights = {k: v for k, v in theirs.state_dict().items() if 'head' not in k}
    ours.load_state_dict(weights)  # strictly, the names are the same
    images = torch.randn(2, 3, img_size, img_size)
    with torch.no_grad():
        expected, tokens = theirs.forward_features(images), ours(images)[0]
    assert float((tokens - expected).abs().max()) < 1e-5 * float(expected.abs().max())


def test_arch_names_are_the_standard_sizes():
    model = MaskedDeiT(img_size=32, patch_size=4)
    assert (model.embed_dims, model.num_layers) == (192, 12)
    assert model.blocks[0].attn.num_heads == 3
    assert model.blocks[0].mlp.fc1.out_features == 768


def test_masked_tokens_are_those_of_the_visible_patches():
    """A masked encoder equals an encoder of the visible tokens with their positions."""
    model = small().eval()
    images = torch.randn(2, 3, 32, 32)
    mask = RandomMasking(0.75)(2, (8, 8), images.device)
    every = model.embed(images)
    for b in range(2):
        index = torch.cat([torch.tensor([0, 1]), 2 + mask.ids_keep[b]])
        x = every[b : b + 1, index]
        for block in model.blocks:
            x = block(x)
        expected = model.norm(x)[0]
        assert torch.allclose(model.encode(images, mask).tokens[b], expected, atol=1e-5)


def test_patches_are_left_out_in_training_alone():
    images, whole = torch.randn(2, 3, 32, 32), small().eval()
    model = small(patch_drop_rate=0.75)
    model.load_state_dict(whole.state_dict())
    torch.manual_seed(0)
    mask = RandomMasking(0.75)(2, (8, 8), images.device)
    assert mask.ids_keep.shape == (2, 16)
    expected = whole.encode(images, mask).tokens[:, 2:].mean(1)
    torch.manual_seed(0)
    trained = model.train()(images)[0]
    assert torch.allclose(trained, expected, atol=1e-6)
    assert torch.equal(model.eval()(images)[0], whole(images)[0])
    assert not torch.allclose(trained, whole(images)[0], atol=1e-3)


@pytest.mark.parametrize('masked', [True, False])
def test_position_embedding_matters_masked_and_unmasked(masked):
    model = small().eval()
    images = torch.randn(1, 3, 32, 32)
    mask = RandomMasking(0.75)(1, (8, 8), images.device) if masked else None
    before = model.encode(images, mask).tokens
    with torch.no_grad():
        model.pos_embed.zero_()
    assert not torch.allclose(before, model.encode(images, mask).tokens, atol=1e-3)


def test_sincos_pos_embed_by_hand_on_a_non_square_grid():
    table = sincos_pos_embed(8, (2, 3), 1)[0]
    assert table.shape == (7, 8)
    assert table[0].tolist() == [0] * 8
    row, col = 1, 2  # patch 5
    omega = torch.tensor([1.0, 10000**-0.5])
    expected = torch.cat(
        [(col * omega).sin(), (col * omega).cos(), (row * omega).sin(),
         (row * omega).cos()]
    )  # fmt: skip
    assert torch.allclose(table[1 + 5], expected, atol=1e-6)


def test_out_types_by_hand():
    images = torch.randn(2, 3, 32, 32)
    model = small(out_type='raw').eval()
    x = model(images)[0]
    assert x.shape == (2, 66, 48)
    expected = dict(
        avg=x[:, 2:].mean(1),
        cls=x[:, 0],
        flatten=x[:, 2:].flatten(1),
        flatten64=x[:, 2:].flatten(1),
        flatten66=x.flatten(1),
        flatten_all=x.flatten(1),
        featmap=x[:, 2:].transpose(1, 2).reshape(2, 48, 8, 8),
    )
    expected['cls+dist'] = torch.cat([x[:, 0], x[:, 1]], dim=1)
    for out_type, value in expected.items():
        model.out_type = out_type
        assert torch.equal(model(images)[0], value), out_type
    model.out_type = 'distilled'
    first, second = model(images)[0]
    assert torch.equal(first, x[:, 0])
    assert torch.equal(second, x[:, 1])


def test_out_indices_and_final_norm():
    images = torch.randn(1, 3, 32, 32)
    model = small(out_type='raw', out_indices=(0, -1)).eval()
    first, last = model(images)
    assert torch.equal(first, model.blocks[0](model.embed(images)))
    assert torch.equal(last, model.encode(images).tokens)


def test_other_image_sizes_interpolate_the_position_embedding():
    model = small(out_type='featmap').eval()
    assert model(torch.randn(1, 3, 48, 24))[0].shape == (1, 48, 12, 6)


def test_frozen_stages():
    model = small(frozen_stages=2).train()
    trained = {n for n, p in model.named_parameters() if p.requires_grad}
    assert all(n.startswith(('blocks.2.', 'norm.')) for n in trained)
    assert trained
    assert [b.training for b in model.blocks] == [False, False, True]
    frozen = small(frozen_stages=3).train()
    assert not any(p.requires_grad for p in frozen.parameters())
    assert not frozen(torch.randn(1, 3, 32, 32))[0].requires_grad


def test_layer_depth_for_layer_wise_decay():
    model = small()
    depth = {
        name: model.get_layer_depth(f'backbone.{name}', 'backbone.')
        for name in ('cls_token', 'dist_token', 'pos_embed', 'patch_embed.proj.weight',
                     'blocks.0.norm1.weight', 'blocks.2.mlp.fc2.bias', 'norm.weight')
    }  # fmt: skip
    assert [d for d, _ in depth.values()] == [0, 0, 0, 0, 1, 3, 4]
    assert {n for _, n in depth.values()} == {5}
    assert model.get_layer_depth('head.fc.weight', 'backbone.') == (4, 5)


@pytest.mark.parametrize(
    ('kwargs', 'words'),
    [
        (dict(arch='deit-huge'), ['deit-huge', 'deit-tiny']),
        (dict(arch=dict(embed_dims=48)), ['num_layers', 'num_heads']),
        (dict(arch=dict(embed_dims=50, num_layers=1, num_heads=3)), ['50', '3']),
        (dict(img_size=30), ['30x30', 'patch_size=4']),
        (dict(out_type='max'), ["'max'", 'avg', 'flatten64']),
        (dict(out_type='flatten65'), ['flatten65', 'flatten64', 'flatten66']),
        (dict(out_indices=12), ['12', '0 to 2']),
        (dict(frozen_stages=4), ['frozen_stages=4', '3 blocks']),
        (dict(pos_embed='rope'), ['rope', 'sincos']),
        (dict(patch_drop_rate=1.0), ['patch_drop_rate=1.0', 'less than 1']),
        (dict(patch_drop_rate=0.5, out_type='flatten'), ['flatten', 'cls+dist']),
    ],
)
def test_bad_input_is_one_clear_line(kwargs, words):
    with pytest.raises(UserError) as error:
        small(**kwargs)
    assert '\n' not in str(error.value)
    assert all(word in str(error.value) for word in words)


def test_vit_has_no_distillation_token():
    model = MaskedViT(SMALL, img_size=32, patch_size=4)
    assert model.num_extra_tokens == 1
    for out_type in ('cls+dist', 'distilled'):
        with pytest.raises(UserError, match='MaskedDeiT'):
            MaskedViT(SMALL, img_size=32, patch_size=4, out_type=out_type)
