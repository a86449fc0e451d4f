"""Old import paths still work, with a warning that names the new one."""

import importlib
import sys

import pytest

from bootmae_plugin.moved import MOVED


@pytest.mark.parametrize('old', MOVED)
def test_old_modules_are_the_new_ones(old):
    name = f'bootmae_plugin.{old}'
    if MOVED[old].startswith('segmentation'):
        pytest.importorskip('mmseg', reason='mmsegmentation is not installed')
    sys.modules.pop(name, None)
    with pytest.warns(DeprecationWarning, match=f'has moved.*{MOVED[old]}'):
        module = importlib.import_module(name)
    new = importlib.import_module(f'bootmae_plugin.{MOVED[old]}')
    assert module is new
    assert new.__spec__.name == new.__name__ == f'bootmae_plugin.{MOVED[old]}'


def test_old_names_of_the_engine():
    from bootmae_plugin import engine, evaluation

    with pytest.warns(DeprecationWarning, match='bootmae_plugin.evaluation'):
        assert engine.KNNHook is evaluation.KNNHook
    with pytest.raises(AttributeError, match='no attribute'):
        _ = engine.nothing
