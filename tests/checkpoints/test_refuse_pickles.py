"""mmengine's own loading: nothing is executed, whatever names the file."""

import json
import os

import pytest
import torch
from mmengine.runner import CheckpointLoader
from mmengine.runner.checkpoint import load_from_local, load_from_openmmlab

from bootmae_plugin import UserError
from bootmae_plugin.checkpoints.refuse_pickles import FORCE, refuse_pickles


class Gadget:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.fixture
def trap(tmp_path, monkeypatch):
    """A folder that a.pth makes when unpickled; 'open-mmlab://a' names that file."""
    monkeypatch.setattr(CheckpointLoader, '_schemes', CheckpointLoader._schemes.copy())
    monkeypatch.setenv('MMENGINE_HOME', str(tmp_path))
    (tmp_path / 'open_mmlab.json').write_text(json.dumps(dict(a='a.pth', b='b.pth')))
    trap = tmp_path / 'trap'
    torch.save(dict(state_dict=Gadget(str(trap))), tmp_path / 'a.pth')
    torch.save(dict(state_dict=dict(weight=torch.ones(2))), tmp_path / 'b.pth')
    return trap


@pytest.mark.parametrize('name', ['{}/a.pth', 'open-mmlab://a', 'openmmlab://a'])
def test_files_and_named_models(name, trap, tmp_path):
    name = name.format(tmp_path)
    original = load_from_openmmlab if '://' in name else load_from_local
    original(name, 'cpu')
    assert trap.exists()  # what is to be prevented
    trap.rmdir()
    refuse_pickles()
    with pytest.raises(UserError, match='not loaded') as refused:
        CheckpointLoader.load_checkpoint(name)
    assert '\n' not in str(refused.value)
    assert not trap.exists()
    good = name.replace('a.pth', 'b.pth').replace('://a', '://b')
    loaded = CheckpointLoader.load_checkpoint(good)['state_dict']
    assert torch.equal(loaded['weight'], torch.ones(2))
    assert FORCE not in os.environ
