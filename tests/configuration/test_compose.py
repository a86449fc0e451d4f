"""The config of a run: it inherits by name, and means what was asked for."""

import pytest
from mmengine.config import Config

from bootmae_plugin import UserError, config_path
from bootmae_plugin.configuration.compose import difference, write_config
from bootmae_plugin.configuration.configs import load_config
from bootmae_plugin.configuration.photos import RECIPE
from bootmae_plugin.configuration.transfer import FINETUNE, LINEAR

ARCH = dict(_delete_=True, embed_dims=24, num_layers=2, num_heads=2)
SOURCE = dict(_delete_=True, type='LabeledImages', ann_file='x.csv', split='train')


def test_the_difference_is_only_what_changes():
    old = dict(a=1, b=dict(c=2, d=[1, 2]), e=dict(f=1), g='x', same=dict(h=(1,)))
    new = dict(a=1, b=dict(c=3, d=[2]), e=dict(k=1), g=dict(y=1), same=dict(h=(1,)))
    assert difference(old, new) == dict(
        b=dict(c=3, d=[2]), e=dict(_delete_=True, k=1), g=dict(_delete_=True, y=1)
    )
    assert difference(dict(a=1), dict(a=True)) == dict(a=True)  # 1 == True


@pytest.mark.parametrize(
    ('base', 'options'),
    [
        (f'{RECIPE}.py', {'data_root': 'photos', 'img_size': 96}),
        (f'{RECIPE}.py', {'model.backbone.arch': ARCH, 'img_size': 32}),
        (f'{RECIPE}-disk.py', {'data_root': "it's", 'train_cfg.max_epochs': 7}),
        (FINETUNE, {'num_classes': 3, 'train_dataloader.dataset.source': SOURCE}),
        (LINEAR, {'model.backbone.init_cfg.checkpoint': 'x.pth', 'num_classes': 2}),
    ],
)
def test_the_written_config_is_the_inherited_one_with_the_options(
    base, options, tmp_path
):
    path = write_config(tmp_path / 'run', base, options, 'bootmae ...')
    written, expected = Config.fromfile(path), load_config(config_path(base), options)
    assert written.pop('work_dir') == str(tmp_path / 'run')
    assert written.to_dict() == expected.to_dict()
    assert len(path.read_text().splitlines()) < 40
    # Options of the command line reach what it inherits.
    changed = load_config(str(path), {'train_dataloader.batch_size': 5})
    assert changed.train_dataloader.batch_size == 5


def test_a_run_is_not_overwritten(tmp_path):
    base = f'{RECIPE}.py'
    path = write_config(tmp_path, base, {'img_size': 32}, 'bootmae ...')
    write_config(tmp_path, base, {'img_size': 64}, 'bootmae ...')  # nothing was trained
    (tmp_path / 'epoch_1.pth').touch()
    before = path.read_text()
    with pytest.raises(UserError, match='holds a run already.*--resume.*--out'):
        write_config(tmp_path, base, {'img_size': 32}, 'bootmae ...')
    assert path.read_text() == before
    (tmp_path / 'epoch_1.pth').unlink()
    path.write_text('mine = 1')
    with pytest.raises(UserError, match='holds a run already'):
        write_config(tmp_path, base, {'img_size': 32}, 'bootmae ...')


def test_a_wrong_option_writes_nothing(tmp_path):
    with pytest.raises(UserError, match='nothing reads it'):
        write_config(tmp_path / 'run', f'{RECIPE}.py', {'imgsize': 3}, '')
    assert not (tmp_path / 'run').exists()
