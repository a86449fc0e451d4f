"""Keys of --cfg-options: which are accepted, which are refused and with what advice."""

import argparse

import pytest
from mmengine.config import Config

from bootmae_plugin import UserError
from bootmae_plugin.configuration.configs import load_config, set_loader_defaults
from bootmae_plugin.configuration.names import find_config
from bootmae_plugin.configuration.options import parameters
from tests.tiny import ROOT, run_tool

PRETRAIN = str(ROOT / 'configs/selfsup/bootmae_deit-tiny_digits.py')
LINEAR = str(ROOT / 'configs/benchmarks/linear/deit-tiny_digits.py')
CAMVID = str(ROOT / 'configs/benchmarks/segmentation/deit-tiny_camvid.py')


@pytest.mark.parametrize(
    ('config', 'options'),
    [
        (PRETRAIN, {'train_cfg.max_epochs': 7}),
        (PRETRAIN, {'compile': True}),
        (PRETRAIN, {'randomness.seed': 1, 'randomness.deterministic': True}),
        (PRETRAIN, {'work_dir': 'x', 'resume': True, 'load_from': 'x.pth'}),
        (PRETRAIN, {'model.backbone.drop_path_rate': 0.1}),
        (PRETRAIN, {'model.backbone.arch.embed_dims': 24}),
        (PRETRAIN, {'optim_wrapper.accumulative_counts': 2}),
        (PRETRAIN, {'optim_wrapper.clip_grad.max_norm': 1.0}),
        (PRETRAIN, {'optim_wrapper.optimizer.type': 'SGD',
                    'optim_wrapper.optimizer.momentum': 0.9}),
        (PRETRAIN, {'optim_wrapper.paramwise_cfg.custom_keys.x.lr_mult': 0.1}),
        (PRETRAIN, {'param_scheduler.convert_to_iter_based': False}),
        (PRETRAIN, {'default_hooks.ema.type': 'EMAHook',
                    'default_hooks.ema.momentum': 0.1}),
        (PRETRAIN, {'default_hooks.checkpoint.priority': 'LOW'}),
        (PRETRAIN, {'custom_hooks': [dict(type='Mine')]}),
        (PRETRAIN, {'train_dataloader.num_workers': 2,
                    'train_dataloader.prefetch_factor': 2}),
        (PRETRAIN, {'train_dataloader.dataset.source.indices': 64}),
        (PRETRAIN, {'visualizer.vis_backends.0.save_dir': 'x'}),
        (PRETRAIN, {'model.backbone.type': 'a.package.with.Mine',
                    'model.backbone.mine': 1}),
        (LINEAR, {'model.backbone.init_cfg.checkpoint': 'x.pth',
                  'model.backbone.init_cfg.allow': ['dist_token']}),
        (LINEAR, {'model.backbone.init_cfg': None}),
    ],
)  # fmt: skip
def test_accepted(config, options):
    cfg = load_config(config, options)
    for key, value in options.items():
        found = cfg
        for part in key.split('.'):
            found = found[int(part) if part.isdigit() else part]
        assert found == value


@pytest.mark.parametrize(
    ('config', 'key', 'nearest'),
    [
        (PRETRAIN, 'max_epochs', 'train_cfg.max_epochs'),
        (PRETRAIN, 'image_size', 'img_size'),
        (PRETRAIN, 'batch_size', 'train_dataloader.batch_size'),
        (PRETRAIN, 'work_dirs', 'work_dir'),
        (PRETRAIN, 'modle.backbone.depth', ''),
        (PRETRAIN, 'train_cfg.max_epoch', 'train_cfg.max_epochs'),
        (PRETRAIN, 'train_dataloader.batchsize', 'train_dataloader.batch_size'),
        (PRETRAIN, 'auto_scale_lr.base_batchsize', 'auto_scale_lr.base_batch_size'),
        (PRETRAIN, 'randomness.sed', 'randomness.seed'),
        (PRETRAIN, 'model.maskin', 'model.masking'),
        (PRETRAIN, 'model.backbone.drop_path', 'model.backbone.drop_path_rate'),
        (PRETRAIN, 'optim_wrapper.acumulative_counts',
         'optim_wrapper.accumulative_counts'),
        (PRETRAIN, 'optim_wrapper.optimizer.weigth_decay',
         'optim_wrapper.optimizer.weight_decay'),
        (PRETRAIN, 'optim_wrapper.paramwise_cfg.norm_decay',
         'optim_wrapper.paramwise_cfg.norm_decay_mult'),
        (PRETRAIN, 'param_scheduler.warmpu', 'param_scheduler.warmup'),
        (PRETRAIN, 'default_hooks.bootstrap.num_stage',
         'default_hooks.bootstrap.num_stages'),
        (LINEAR, 'model.head.num_clases', 'model.head.num_classes'),
    ],
)  # fmt: skip
def test_refused_with_the_nearest_key(config, key, nearest):
    with pytest.raises(UserError) as error:
        load_config(config, {key: 1})
    line = str(error.value)
    assert line.startswith(f'--cfg-options {key}: ')
    assert line.endswith(f'did you mean {nearest}?') or not nearest
    assert len(line) < 200 and '\n' not in line


def test_classes_of_another_default_scope():
    pytest.importorskip('mmseg')
    assert load_config(CAMVID, {'model.decode_head.pool_scales': (1, 2)})
    with pytest.raises(UserError, match='UPerHead takes no num_clases'):
        load_config(CAMVID, {'model.decode_head.num_clases': 11})


def test_options_that_cannot_be_merged_are_one_line():
    for options in ({'load_from.x': 1}, {'model.neck': None, 'model.neck.depth': 1}):
        with pytest.raises(UserError, match='--cfg-options cannot be applied') as error:
            load_config(PRETRAIN, options)
        assert '\n' not in str(error.value)


class Base:
    def __init__(self, a, *args):
        pass


class Child(Base):
    def __init__(self, b, **kwargs):
        pass


class Open(Child):
    def __init__(self, c, **kwargs):
        pass


class Anything:
    def __init__(self, **kwargs):
        pass


def test_arguments_are_followed_to_the_base_classes():
    assert parameters(Base) == {'a'}
    assert parameters(Child) == {'a', 'b'}
    assert parameters(Open) == {'a', 'b', 'c'}
    assert parameters(lambda x, y=1: None) == {'x', 'y'}
    assert parameters(Anything) is None


def test_training_refuses_before_it_starts(tmp_path):
    options = ['--work-dir', tmp_path / 'run', '--cfg-options', 'max_epochs=7']
    with pytest.raises(SystemExit) as stop:
        run_tool('train.py', PRETRAIN, *options)
    assert stop.value.code == (
        'error: --cfg-options max_epochs: nothing reads it; did you mean '
        'train_cfg.max_epochs?'
    )
    assert not (tmp_path / 'run').exists()


@pytest.mark.parametrize(
    ('name', 'path'),
    [
        (PRETRAIN, PRETRAIN),
        ('bootmae_deit-tiny_digits', PRETRAIN),
        ('bootmae_deit-tiny_digits.py', PRETRAIN),
        ('bootmae_plugin::selfsup/bootmae_deit-tiny_digits.py', PRETRAIN),
        ('deit-tiny_bootmae-pre_linear_digits', LINEAR),  # of list_models()
    ],
)
def test_configs_are_found_by_path_and_by_name(name, path):
    # In a source distribution, .mim has copies of the configs.
    assert find_config(name).endswith(path.removeprefix(str(ROOT)))


@pytest.mark.parametrize(
    ('name', 'words'),
    [
        ('bootmae_deit-tiny_cifar', ['does not exist', 'bootmae_deit-tiny_cifar10']),
        ('deit-tiny_digits', ['several', 'linear/deit-tiny_digits']),
        ('configs/selfsup/nothing.py', ['nothing.py does not exist']),
        (str(ROOT / 'README.md'), ['README.md is not a config', 'config first']),
    ],
)
def test_a_config_that_is_not_found(name, words):
    with pytest.raises(UserError) as error:
        find_config(name)
    assert all(word in str(error.value) for word in words), error.value


def test_without_workers_none_persist():
    args = argparse.Namespace(no_pin_memory=False)
    cfg = Config(dict(train_dataloader=dict(num_workers=0, persistent_workers=True)))
    set_loader_defaults(cfg, 'train_dataloader', args)
    assert cfg.train_dataloader.persistent_workers is False
