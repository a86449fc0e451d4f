"""Every config follows configs/README.md: name, header, variables, twin."""

import re
from pathlib import Path

import pytest
import torch
import yaml
from mmengine.config import Config
from mmpretrain.registry import MODELS

from bootmae_plugin.configuration.variables import load_with_variables
from tests.config_files import (
    BENCHMARKS,
    CONFIGS,
    NAMED,
    OLD_NAMES,
    OTHERS,
    PRETRAINING,
    TWINS,
    batch,
    new_name,
    read,
)
from tests.tiny import ROOT


@pytest.mark.parametrize('name', NAMED, ids=str)
def test_header_gives_the_command_the_cost_and_the_result(name):
    path = ROOT / 'configs' / name
    text = path.read_text()
    header = text[: re.search(r'^[^#]', text, re.MULTILINE).start()]
    tools = '(python tools/train.py|bash tools/dist_train.sh)'
    command = rf'^#   {tools} configs/{re.escape(str(name))}( |$)'
    assert re.search(command, header, re.MULTILINE), 'no command that trains it'
    assert re.search(r'^# Cost( and result)?: ', header, re.MULTILINE)
    assert re.search(r'^# (Result|Cost and result): ', header, re.MULTILINE)
    folders = path.parent, ROOT, ROOT / 'configs', ROOT / 'configs/_base_/datasets'
    for file in re.findall(r'(?<![\w.-])[\w./-]*\w\.(?:py|sh|md)\b', header):
        assert any((folder / file).is_file() for folder in folders), file


# What the first part of a name in selfsup/ says: the target encoder, and the masking.
METHODS = {
    'mae': (None, 'RandomMasking'),
    'mae-joint': (None, 'RandomMasking'),
    'umae': (None, 'RandomMasking'),
    'bootmae': ('StageEncoder', 'RandomMasking'),
    'bootmae-ema': ('EMAEncoder', 'RandomMasking'),
    'bootmae-views': ('StageEncoder', 'RandomMasking'),
    'bootmae-views-ema': ('EMAEncoder', 'RandomMasking'),
    'bootmae-eccv': ('EMAEncoder', 'BlockMasking'),
    'feature-mae': ('PretrainedEncoder', 'RandomMasking'),
}
ENCODERS = {'deit': 'MaskedDeiT', 'vit': 'MaskedViT'}


@pytest.mark.parametrize('name', PRETRAINING, ids=str)
def test_the_name_says_method_encoder_and_data(name):
    method, encoder, data = name.stem.split('_')
    model = read(name).model
    teacher = model.get('target_generator')
    found = teacher and teacher.type, model.masking.type
    assert found == METHODS[method]
    assert model.backbone.type == ENCODERS[encoder.split('-')[0]]
    assert '_' not in data


@pytest.mark.parametrize(
    'name',
    # Detection configs are called as mmdetection's are.
    [p for p in NAMED if p.parts[0] == 'benchmarks' and p.parts[1] != 'detection'],
    ids=str,
)
def test_the_name_of_a_benchmark_says_recipe_encoder_and_data(name):
    parts = name.stem.removesuffix('_random').split('_')
    assert len(parts) == 2 or parts.pop(0) == 'bootmae-eccv'
    encoder, _ = parts
    backbone = read(name).model.backbone
    assert backbone.type.split('.')[-1] == ENCODERS[encoder.split('-')[0]]


@pytest.mark.parametrize('name', OLD_NAMES, ids=str)
def test_an_old_name_inherits_the_new_config(name):
    assert new_name(name) in NAMED
    assert read(name).to_dict() == read(new_name(name)).to_dict()


def test_the_model_index_has_the_old_and_the_new_names():
    index = yaml.safe_load((ROOT / 'configs/metafile.yml').read_text())
    names = {model['Config']: model['Name'] for model in index['Models']}
    assert len(set(names.values())) == len(index['Models'])
    old_names = [name for name in OLD_NAMES if 'segmentation' not in name.parts]
    assert len(old_names) == 11
    for old in old_names:
        name = names[f'configs/{old}']
        assert names[f'configs/{new_name(old)}'] == name.replace(
            'bootmae', 'bootmae-eccv'
        )


def test_the_number_of_old_names():
    assert len(OLD_NAMES) == 13  # as many as were renamed


BUNDLED = ('_digits', '_fashion-mnist-12k')  # they have no folder
NO_TWINS = [path for path in NAMED if not path.stem.endswith('_random')]


def override(name, **variables) -> Config:
    """Load a config as the tools do for --cfg-options that set its variables."""
    for part, package in OTHERS.items():
        if part in name.parts:
            pytest.importorskip(package, reason=f'{package} is not installed')
    assert variables.keys() <= read(name).keys()
    return load_with_variables(ROOT / 'configs' / name, variables)


@pytest.mark.parametrize(
    'name', [p for p in NO_TWINS if not p.stem.endswith(BUNDLED)], ids=str
)
def test_overriding_data_root_reaches_all_uses(name):
    changed = override(name, data_root='elsewhere').to_dict()
    loaders = [key for key in changed if key.endswith('_dataloader')]
    assert len(loaders) in (1, 3)
    for key in loaders:
        assert "'elsewhere" in str(changed[key])
    default = read(name).data_root
    assert default.startswith('data/')
    assert default not in str(changed)


SIZE_KEYS = ('img_size', 'size', 'scale', 'crop_size')


def sizes_in(settings) -> set[int]:
    """Every number under a key that means an image size."""
    if isinstance(settings, list | tuple):
        return set().union(*map(sizes_in, settings))
    if not isinstance(settings, dict):
        return set()
    own = {v for k, v in settings.items() if k in SIZE_KEYS and isinstance(v, int)}
    return own.union(*map(sizes_in, settings.values()))


@pytest.mark.parametrize('name', CONFIGS, ids=str)
def test_overriding_img_size_reaches_all_uses(name):
    old = read(name).img_size
    assert old in sizes_in(read(name).to_dict())
    cfg = override(name, img_size=2 * old)
    assert cfg.img_size == cfg.model.backbone.img_size == 2 * old
    batch(cfg)  # the data set and the crops have the size of the encoder
    # An evaluation pipeline also resizes the short edge, to 8 / 7 of the size.
    assert sizes_in(cfg.to_dict()) <= {2 * old, 2 * old * 8 // 7}
    out_type = cfg.model.backbone.get('out_type', '')
    if out_type.startswith('flatten'):
        model = MODELS.build(dict(cfg.model, data_preprocessor=cfg.data_preprocessor))
        images = torch.zeros(2, 3, 2 * old, 2 * old)
        assert len(model(images, mode='tensor')) == 2


@pytest.mark.parametrize('name', BENCHMARKS, ids=str)
def test_every_benchmark_has_a_twin_from_random_weights(name):
    twin = name.with_stem(f'{name.stem}_random')
    assert twin in TWINS
    pretrained, random = (read(p) for p in (name, twin))
    assert pretrained.model.backbone.pop('init_cfg') == dict(
        type='Pretrained', checkpoint=''
    )
    assert random.model.backbone.pop('init_cfg') is None
    assert pretrained.to_dict() == random.to_dict()


def test_every_twin_belongs_to_a_benchmark():
    assert len(TWINS) == len(BENCHMARKS)


@pytest.mark.parametrize(
    'name', [p for p in BENCHMARKS if p.parts[1] == 'partial'], ids=str
)
def test_partial_finetuning_is_finetuning_of_the_last_block(name):
    full, part = (
        read(Path('benchmarks', folder, name.name))
        for folder in ('finetune', 'partial')
    )
    assert part.model.backbone.pop('frozen_stages') == 11
    assert full.to_dict() == part.to_dict()
