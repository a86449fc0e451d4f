"""mmengine's own loaders execute nothing once ours are registered."""

import json
import os

import pytest
import torch
from mmengine.runner import CheckpointLoader
from mmengine.runner.checkpoint import load_from_local, load_from_openmmlab

from bootmae_plugin import UserError
from bootmae_plugin.checkpoints.safe_loaders import FORCE, register_safe_loaders


class MakesAFolder:
    """Unpickling it makes a folder, which shows that code was run."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.fixture
def trap(tmp_path, monkeypatch):
    """The folder that unpickling a.pth makes; 'open-mmlab://a' names that file."""
    monkeypatch.setattr(CheckpointLoader, '_schemes', CheckpointLoader._schemes.copy())
    monkeypatch.setenv('MMENGINE_HOME', str(tmp_path))
    (tmp_path / 'open_mmlab.json').write_text(json.dumps(dict(a='a.pth', b='b.pth')))
    trap = tmp_path / 'trap'
    torch.save(dict(state_dict=MakesAFolder(str(trap))), tmp_path / 'a.pth')
    torch.save(dict(state_dict=dict(weight=torch.ones(2))), tmp_path / 'b.pth')
    return trap


@pytest.mark.parametrize('name', ['{}/a.pth', 'open-mmlab://a', 'openmmlab://a'])
def test_files_and_model_names_are_loaded_without_unpickling(name, trap, tmp_path):
    name = name.format(tmp_path)
    original = load_from_openmmlab if '://' in name else load_from_local
    original(name, 'cpu')
    assert trap.exists()  # mmengine's own loader does run the code
    trap.rmdir()
    register_safe_loaders()
    with pytest.raises(UserError, match='not loaded') as refused:
        CheckpointLoader.load_checkpoint(name)
    assert '\n' not in str(refused.value)
    assert not trap.exists()
    good = name.replace('a.pth', 'b.pth').replace('://a', '://b')
    loaded = CheckpointLoader.load_checkpoint(good)['state_dict']
    assert torch.equal(loaded['weight'], torch.ones(2))
    assert FORCE not in os.environ


def test_a_setting_of_the_user_is_kept(trap, monkeypatch):
    monkeypatch.setenv(FORCE, '0')
    register_safe_loaders()
    CheckpointLoader.load_checkpoint('open-mmlab://b')
    assert os.environ[FORCE] == '0'
