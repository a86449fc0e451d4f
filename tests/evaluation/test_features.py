"""Extracted features are those of the config route."""

import pytest
import torch

from bootmae_plugin import UserError
from bootmae_plugin.evaluation import extract_features
from bootmae_plugin.models import MaskedDeiT

ARCH = dict(embed_dims=24, num_layers=2, num_heads=2)
POOLS = ['avg', 'grid2x2', 'cls', 'cls+dist', 'flatten64', 'flatten66']


def encoder(**kwargs):
    return MaskedDeiT(**{**dict(arch=ARCH, img_size=32, patch_size=4), **kwargs})


def images(number=7):
    return torch.randint(0, 256, (number, 3, 32, 32), dtype=torch.uint8)


def normalize(x):
    return (x.float() - 100) / 50


@pytest.mark.parametrize('pool', POOLS)
def test_features_are_those_of_the_config_route(pool):
    data, model = images(), encoder(out_type=pool).train()
    expected = model.eval()(normalize(data))[0]
    model.train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    for batch_size in (2, 7):
        ours = extract_features(model, data, normalize, [pool], batch_size=batch_size)
        assert torch.allclose(ours[pool], expected, atol=1e-5)
    assert model.training
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())


def test_features_of_an_inner_block():
    data, model = images(3), encoder(out_type='avg', out_indices=0).eval()
    ours = extract_features(model, data, normalize, block=0)['avg']
    assert torch.allclose(ours, model(normalize(data))[0], atol=1e-6)


def test_the_grid_has_the_means_of_the_quarters():
    data, model = images(2), encoder().eval()
    tokens = model.encode(normalize(data)).tokens[:, 2:].view(2, 8, 8, 24)
    quarters = [
        tokens[:, rows, columns].flatten(1, 2).mean(dim=1)
        for rows in (slice(4), slice(4, 8))
        for columns in (slice(4), slice(4, 8))
    ]
    ours = extract_features(model, data, normalize, ['grid2x2'])['grid2x2']
    assert torch.allclose(ours, torch.stack(quarters, dim=2).flatten(1), atol=1e-5)


@pytest.mark.parametrize(('block', 'taken'), [(-1, [1, 2, 3, 4]), (3, [0, 1, 2, 3])])
def test_last4_has_the_means_of_four_blocks(block, taken):
    model = encoder(arch=dict(ARCH, num_layers=5)).eval()
    torch.nn.init.normal_(model.norm.weight)
    data = images(3)
    blocks = model.encode(normalize(data), blocks=taken).blocks
    expected = [model.norm(blocks[i])[:, 2:].mean(dim=1) for i in taken]
    ours = extract_features(model, data, normalize, ['last4', 'avg'], block)
    assert torch.allclose(ours['last4'], torch.cat(expected, dim=1), atol=1e-5)
    alone = extract_features(model, data, normalize, ['avg'], block)
    assert torch.equal(ours['avg'], alone['avg'])


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(block=2), 'block=2, but the encoder has blocks 0 to 1'),
        (dict(pools=['flatten65']), 'flatten65'),
        (dict(pools=['distilled']), "not one vector per image: choose .*'cls.dist'"),
        (dict(pools=['raw']), 'not one vector per image'),
        (dict(pools=['last4']), 'four blocks, but there are 2'),
    ],
)
def test_a_block_or_pooling_that_does_not_fit(options, message):
    with pytest.raises(UserError, match=message):
        extract_features(encoder(), images(1), normalize, **options)
