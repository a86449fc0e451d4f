"""Old import paths work and warn with the new path."""

import importlib
import sys

import pytest

from bootmae_plugin.moved import MOVED


@pytest.mark.parametrize('old', MOVED)
def test_an_old_module_path_gives_the_new_module(old):
    name = f'bootmae_plugin.{old}'
    if MOVED[old].startswith('segmentation'):
        pytest.importorskip('mmseg', reason='mmsegmentation is not installed')
    sys.modules.pop(name, None)
    with pytest.warns(DeprecationWarning, match=f'has moved.*{MOVED[old]}'):
        module = importlib.import_module(name)
    new = importlib.import_module(f'bootmae_plugin.{MOVED[old]}')
    assert module is new
    assert new.__spec__.name == new.__name__ == f'bootmae_plugin.{MOVED[old]}'


def test_an_old_name_of_the_engine_gives_the_new_class():
    from bootmae_plugin import engine, evaluation

    with pytest.warns(DeprecationWarning, match='bootmae_plugin.evaluation'):
        assert engine.KNNHook is evaluation.KNNHook
    with pytest.raises(AttributeError, match='no attribute'):
        _ = engine.nothing
