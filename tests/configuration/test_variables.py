"""Overridden variables of a config reach all their uses."""

import pytest
from mmengine.config import Config

from bootmae_plugin.configuration.configs import load_config
from bootmae_plugin.configuration.variables import load_with_variables
from tests.tiny import ROOT

FOLDER = ROOT / 'configs/selfsup/bootmae_deit-tiny_folder.py'
CAMVID = ROOT / 'configs/benchmarks/segmentation/deit-tiny_camvid.py'


@pytest.fixture
def chain(tmp_path):
    """A config with a base that has a base."""
    (tmp_path / 'grandparent.py').write_text(
        "root = 'grandparent'\nsize = 2\nnorm = dict(type='BN', eps=1)\n"
        "data = dict(root=root, list=f'{root}/list.txt', area=size**2)\n"
        'head = dict(norm=norm)\n'
    )
    (tmp_path / 'parent.py').write_text(
        "_base_ = './grandparent.py'\nroot: str = 'parent'\ntest = dict(root=root)\n"
    )
    path = tmp_path / 'child.py'
    path.write_text(
        "_base_ = ['parent.py']\ndouble = 2 * _base_.size\n"
        "where = '{{ fileDirname }}/{{ fileBasename }}'\n"
    )
    return path


def test_every_file_of_the_chain_sees_the_new_value(chain):
    plain, cfg = Config.fromfile(chain), load_with_variables(chain, {'root': 'mine'})
    assert (plain.data.root, plain.test.root) == ('grandparent', 'parent')
    assert cfg.root == cfg.data.root == cfg.test.root == 'mine'
    assert cfg.data.list == 'mine/list.txt'
    cfg = load_with_variables(chain, {'size': 10})
    assert (cfg.data.area, cfg.double) == (100, 20)


def test_a_variable_of_a_base_in_double_braces(tmp_path):
    (tmp_path / 'base.py').write_text('size = 2\n')
    path = tmp_path / 'child.py'
    path.write_text("_base_ = 'base.py'\nimage = dict(size={{_base_.size}})\n")
    assert load_with_variables(path, {'size': 10}).image.size == 10


def test_a_part_of_a_variable(chain):
    cfg = load_with_variables(chain, {'norm.type': 'SyncBN', 'norm.lost.key': 1})
    assert cfg.norm == cfg.head.norm == dict(type='SyncBN', eps=1)


def test_the_config_keeps_its_name(chain):
    cfg = load_with_variables(chain, {'root': 'mine'})
    assert cfg.filename == str(chain)
    assert cfg.where == chain.as_posix()


def test_without_a_variable_nothing_changes(chain):
    for variables in ({}, {'unknown': 1}):
        cfg = load_with_variables(chain, variables)
        assert cfg.to_dict() == Config.fromfile(chain).to_dict()


@pytest.mark.parametrize(
    ('base', 'scope'),
    [
        ("'bootmae_plugin::selfsup/bootmae_deit-tiny_folder.py'", 'bootmae_plugin'),
        ("__import__('bootmae_plugin').config_path("
         "'selfsup/bootmae_deit-tiny_folder.py')", None),
    ],
)  # fmt: skip
def test_bases_of_a_package_keep_its_scope(base, scope, tmp_path):
    path = tmp_path / 'config.py'
    path.write_text(f'_base_ = {base}\n')
    cfg = load_with_variables(path, {'img_size': 128, 'data_root': 'photos'})
    plain = Config.fromfile(path)
    assert cfg.model.get('_scope_') == plain.model.get('_scope_') == scope
    assert cfg.model.backbone.img_size == 128
    assert cfg.train_dataloader.dataset.source.data_root == 'photos'
    plain = load_with_variables(
        path, {'img_size': plain.img_size, 'data_root': plain.data_root}
    )
    assert plain.to_dict() == Config.fromfile(path).to_dict()


def test_variables_and_settings_of_one_command_line():
    options = {
        'data_root': 'photos',
        'img_size': 128,
        'train_dataloader.dataset.source.data_root': 'others',
        'train_cfg.max_epochs': 3,
    }
    cfg = load_config(str(FOLDER), options)
    assert cfg.data_root == 'photos'
    assert cfg.train_dataloader.dataset.source.data_root == 'others'
    assert cfg.train_dataloader.dataset.img_size == cfg.model.backbone.img_size == 128
    assert cfg.data_preprocessor.augment.size == 128
    assert cfg.train_cfg.max_epochs == 3


def test_a_part_of_a_variable_of_segmentation():
    pytest.importorskip('mmseg')
    cfg = load_config(str(CAMVID), {'norm_cfg.type': 'SyncBN', 'void': 255})
    for part in (cfg.model.neck, cfg.model.decode_head, cfg.model.auxiliary_head):
        assert part.norm_cfg == dict(type='SyncBN', requires_grad=True)
    assert cfg.test_evaluator.ignore_index == 255
