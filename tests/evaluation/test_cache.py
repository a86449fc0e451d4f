"""The cache of features: its key, its files, and damaged ones."""

import copy
import inspect

import pytest
import torch

from bootmae_plugin import UserError
from bootmae_plugin.checkpoints import export
from bootmae_plugin.datasets import BatchDataPreprocessor
from bootmae_plugin.evaluation import cache, extract_features, load_features
from bootmae_plugin.evaluation.cache import cache_key, code_version
from bootmae_plugin.models import MaskedDeiT
from tests.evaluation.test_features import encoder, images, normalize

PREPROCESS = BatchDataPreprocessor(mean=[100.0] * 3, std=[50.0] * 3)


def test_the_key_differs_for_other_weights_images_and_settings():
    data, model = images(), encoder()
    settings = dict(pool='avg', block=-1)
    key = cache_key(model, PREPROCESS, data, **settings)
    assert key == cache_key(copy.deepcopy(model), PREPROCESS, data.clone(), **settings)
    changed = data.clone()
    changed[3, 0, 0, 0] += 1
    others = [
        cache_key(model, PREPROCESS, changed, **settings),
        cache_key(model, PREPROCESS, data[:-1], **settings),
        cache_key(encoder(), PREPROCESS, data, **settings),
        cache_key(model, PREPROCESS, data, pool='cls', block=-1),
        cache_key(model, PREPROCESS, data, pool='avg', block=0),
    ]
    assert len({key, *others}) == 6


SOURCES = [
    'models.encoders', 'models.layers', 'models.attention', 'models.pooling',
    'evaluation.features', 'datasets.preprocessor',
]  # fmt: skip


@pytest.mark.parametrize('name', [*SOURCES, None])
def test_the_key_differs_for_other_code(name, monkeypatch):
    """A line added to a file that computes features makes them anew."""
    data, model = images(1), encoder()
    key = cache_key(model, PREPROCESS, data, pool='avg')
    getsource = inspect.getsource

    def edited(module):
        extra = '\n# edited' if module.__name__ == f'bootmae_plugin.{name}' else ''
        return getsource(module) + extra

    monkeypatch.setattr(inspect, 'getsource', edited)
    assert (cache_key(model, PREPROCESS, data, pool='avg') == key) == (name is None)


def test_the_code_of_a_subclass_elsewhere_counts(monkeypatch):
    """Here this test's module; of a class without a file only the name counts."""

    class Own(MaskedDeiT):
        pass

    own = Own(arch=dict(embed_dims=24, num_layers=2, num_heads=2), img_size=32)
    version = code_version(own)
    assert version != code_version(encoder())
    monkeypatch.setattr(cache.inspect, 'getsource', lambda module: '')
    assert code_version(own) != version


def test_a_changed_computation_is_not_served_from_the_cache(tmp_path, monkeypatch):
    """Features of the code as it is, whatever an older code left in the cache."""
    data, model = images(2), encoder().eval()

    def load():
        keys = {'avg': cache_key(model, PREPROCESS, data, pool='avg')}
        return load_features(
            tmp_path, keys, lambda pools: extract_features(model, data, normalize)
        )['avg']

    before = load()
    getsource = inspect.getsource
    with monkeypatch.context() as patch:
        patch.setattr(inspect, 'getsource', lambda m: getsource(m) + '# edited')
        patch.setattr(type(model.norm), 'forward', lambda self, x: x * 0)
        assert float(load().abs().max()) == 0
    assert torch.equal(load(), before)


def test_what_is_missing_or_damaged_is_extracted_again(tmp_path, capsys):
    calls = []

    def extract(pools):
        calls.append(pools)
        return {pool: torch.full((2, 3), float(len(pool))) for pool in pools}

    def load(**keys):
        features = load_features(tmp_path, keys, extract)
        assert {p: float(f.mean()) for p, f in features.items()} == {
            pool: len(pool) for pool in keys
        }

    load(avg='k')
    load(avg='k')  # read
    load(avg='k', flatten='l', cls='m')  # both missing ones in one call
    assert calls == [['avg'], ['flatten', 'cls']]
    (tmp_path / 'k.safetensors').write_bytes(b'cut short')
    load(avg='k', cls='m')
    assert calls[2:] == [['avg']]
    assert 'is damaged' in capsys.readouterr().out
    kept = sorted(p.name for p in tmp_path.iterdir())
    assert kept == ['k.safetensors', 'l.safetensors', 'm.safetensors']


def test_a_full_disk_is_one_line(tmp_path, monkeypatch):
    def full(*args):
        raise OSError('No space left on device')

    monkeypatch.setattr(export, 'save', full)
    with pytest.raises(UserError, match='No space left.*another folder'):
        load_features(tmp_path, {'avg': 'k'}, lambda pools: {'avg': torch.ones(1)})
    assert list(tmp_path.iterdir()) == []
