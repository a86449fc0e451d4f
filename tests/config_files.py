"""The configs, by kind, and how tests load them."""

from pathlib import Path

import torch
from mmengine.config import Config
from mmpretrain.structures import DataSample

from tests.tiny import ROOT

# Old names: one-line configs that inherit the new ones (configs/README.md).
OLD_NAMES = sorted(
    path.relative_to(ROOT / 'configs')
    for path in (ROOT / 'configs').rglob('bootmae_vit-*.py')
)
EVERY = sorted(
    path.relative_to(ROOT / 'configs')
    for path in (ROOT / 'configs').rglob('*.py')
    if '_base_' not in path.parts
)
NAMED = [path for path in EVERY if path not in OLD_NAMES]
# Those for mmsegmentation are built in tests/segmentation, part of those for
# mmdetection in tests/test_detection.py.
OTHERS = dict(segmentation='mmseg', detection='mmdet')
ALL = [path for path in NAMED if not {*path.parts} & {*OTHERS}]
# A twin equals its neighbor except for init_cfg, so it is not trained.
TWINS = [path for path in ALL if path.stem.endswith('_random')]
CONFIGS = [path for path in ALL if path not in TWINS]
BENCHMARKS = [path for path in CONFIGS if path.parts[0] == 'benchmarks']
PRETRAINING = [path for path in CONFIGS if path.parts[0] == 'selfsup']


def new_name(old: Path) -> Path:
    return old.with_name(old.name.replace('bootmae_', 'bootmae-eccv_', 1))


def read(name) -> Config:
    return Config.fromfile(ROOT / 'configs' / name, import_custom_modules=False)


def load(name, small: bool = True) -> Config:
    cfg = read(name)
    if cfg.model.backbone.get('init_cfg'):
        assert cfg.model.backbone.init_cfg.type == 'Pretrained'
        cfg.model.backbone.init_cfg = None
    cfg.model.backbone.pop('drop_path_rate', None)  # would leave blocks out at random
    teacher = cfg.model.get('target_generator') or {}
    if teacher.get('type') == 'PretrainedEncoder':
        cfg.model.target_generator.random = True  # no weights are at hand
    if small:
        make_small(cfg)
    return cfg


SIZES = {'deit-tiny': (12, 192), 'vit-base': (12, 768), 'vit-large': (24, 1024)}
SMALL = 48


def make_small(cfg) -> None:
    """Give encoder and teacher two blocks of 48 dimensions, and the decoders one."""
    backbone = cfg.model.backbone
    if not isinstance(backbone.arch, str):  # small enough
        return
    depth, width = SIZES[backbone.arch]
    small = dict(embed_dims=SMALL, num_layers=2, num_heads=12)
    backbone.arch = small
    if backbone.get('frozen_stages', -1) >= 0:
        backbone.frozen_stages -= depth - 2  # as many trainable blocks
    if 'out_indices' in backbone:
        backbone.out_indices = 0
    teacher = cfg.model.get('target_generator') or {}
    if 'backbone' in teacher:
        teacher.backbone.arch = small

    def narrow(part: dict) -> None:
        for key, value in part.items():
            if isinstance(value, dict):
                narrow(value)
            elif key in ('embed_dims', 'in_channels', 'input_features'):
                # A head may take all tokens, a decoder has a width of its own.
                part[key] = value // width * SMALL or SMALL
            elif key == 'num_heads':
                part[key] = 12
            elif key == 'depth':
                part[key] = 1

    for name in ('neck', 'head'):
        narrow(cfg.model.get(name) or {})


def batch(cfg) -> dict:
    """A batch of generated images as the config's data loader would return it."""
    side, dataset = cfg.model.backbone.img_size, cfg.train_dataloader.dataset
    size = 8 if side < 100 else 2
    inputs = torch.randint(0, 256, (size, 3, side, side), dtype=torch.uint8)
    labels = torch.arange(size)
    if dataset.type == 'InMemoryImages':
        # The preprocessor crops to the encoder's size, or the data set resizes to it.
        augment = cfg.data_preprocessor.get('augment') or {}
        assert augment.get('size', dataset.img_size) == side
        data = dict(inputs=inputs, sample_idx=torch.arange(size))
        return dict(data, gt_label=labels) if dataset.get('with_label', True) else data
    views = [t for t in dataset.pipeline if t.type == 'MultiView']
    steps = views[0].transforms[0] if views else dataset.pipeline
    assert [t.scale for t in steps if t.type == 'RandomResizedCrop'] == [side]
    samples = [DataSample().set_gt_label(label) for label in labels]
    inputs = [inputs, inputs.flip(-1)] if views else inputs
    return dict(inputs=inputs, data_samples=samples)
