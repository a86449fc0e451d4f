"""The config and the newest checkpoint of a run's folder."""

import pytest

from bootmae_plugin import UserError
from bootmae_plugin.configuration.runs import newest_checkpoint, open_run

CONFIG = "model = dict(type='BootMAE', backbone=dict(img_size=32))\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / 'config.py').write_text('_base_ = __import__("os").getcwd()\n')
    (tmp_path / 'config_complete.py').write_text(CONFIG)
    return tmp_path


def test_the_complete_config_is_read(folder):
    (folder / 'epoch_2.pth').touch()
    (folder / 'stage_1.pth').touch()
    run = open_run(folder)
    assert run.config.model.backbone.img_size == 32
    assert run.checkpoint == folder / 'epoch_2.pth'
    assert open_run(folder / 'stage_1.pth').checkpoint == folder / 'stage_1.pth'


def test_the_newest_checkpoint_is_the_one_that_is_named_or_the_last(folder):
    assert newest_checkpoint(folder) is None
    for name in ('stage_3.pth', 'epoch_9.pth', 'epoch_10.pth'):
        (folder / name).touch()
    assert newest_checkpoint(folder).name == 'epoch_10.pth'
    (folder / 'last_checkpoint').write_text('/moved/away/epoch_9.pth')
    assert newest_checkpoint(folder).name == 'epoch_9.pth'
    (folder / 'last_checkpoint').write_text('epoch_11.pth')  # was removed
    assert newest_checkpoint(folder).name == 'epoch_10.pth'


def test_what_is_no_run_is_one_line(folder, tmp_path_factory):
    with pytest.raises(UserError, match='has no checkpoint yet'):
        open_run(folder)
    with pytest.raises(UserError, match='nowhere does not exist'):
        open_run(folder / 'nowhere')
    with pytest.raises(UserError, match='not the folder of a run'):
        open_run(tmp_path_factory.mktemp('empty'))
