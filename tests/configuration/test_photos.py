"""What bootmae pretrain changes in the shipped recipe."""

import pytest
from mmengine.config import Config

from bootmae_plugin import UserError, config_path
from bootmae_plugin.configuration.photos import (
    DECODER,
    RECIPE,
    decoder_for,
    new_encoder,
)


def test_a_narrow_encoder_gets_a_narrow_decoder():
    recipe = Config.fromfile(config_path(f'{RECIPE}.py')).model.neck.pixel
    assert recipe.embed_dims == DECODER
    key = 'model.neck.pixel.embed_dims'
    assert decoder_for(new_encoder('deit-micro')) == {key: 96}  # of 64 channels
    assert decoder_for(new_encoder('deit-tiny')) == {}
    assert decoder_for(new_encoder('vit-base')) == {}
    for width, expected in ((48, 72), (50, 75)):
        arch = dict(embed_dims=width, num_layers=2, num_heads=2, _delete_=True)
        encoder = {
            'model.backbone.type': 'MaskedDeiT',
            'model.backbone.arch': arch,
        }
        assert decoder_for(encoder) == {key: expected}
        assert expected % recipe.num_heads == 0


def test_an_unknown_encoder_is_refused():
    with pytest.raises(UserError, match='--arch deit-giant is unknown: choose one of'):
        new_encoder('deit-giant')
