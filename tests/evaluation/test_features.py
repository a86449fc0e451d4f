"""Extracted features are those of the config route."""

import pytest
import torch

from bootmae_plugin import UserError
from bootmae_plugin.evaluation import extract_features
from bootmae_plugin.models import MaskedDeiT

ARCH = dict(embed_dims=24, num_layers=2, num_heads=2)
POOLS = ['avg', 'cls', 'cls+dist', 'flatten64', 'flatten66']


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


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(block=2), 'block=2, but the encoder has blocks 0 to 1'),
        (dict(pools=['flatten65']), 'flatten65'),
        (dict(pools=['distilled']), "choose 'cls.dist'"),
    ],
)
def test_a_block_or_pooling_that_does_not_fit(options, message):
    with pytest.raises(UserError, match=message):
        extract_features(encoder(), images(1), normalize, **options)
