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
# Those for mmsegmentation are built in tests/segmentation.
ALL = [path for path in NAMED if 'segmentation' not in path.parts]
# A twin equals its neighbor except for init_cfg, so it is not trained.
TWINS = [path for path in ALL if path.stem.endswith('_random')]
CONFIGS = [path for path in ALL if path not in TWINS]
BENCHMARKS = [path for path in CONFIGS if path.parts[0] == 'benchmarks']
PRETRAINING = [path for path in CONFIGS if path.parts[0] == 'selfsup']


def new_name(old: Path) -> Path:
    return old.with_name(old.name.replace('bootmae_', 'bootmae-eccv_', 1))


def read(name) -> Config:
    return Config.fromfile(ROOT / 'configs' / name, import_custom_modules=False)


def load(name) -> Config:
    cfg = read(name)
    if cfg.model.backbone.get('init_cfg'):
        assert cfg.model.backbone.init_cfg.type == 'Pretrained'
        cfg.model.backbone.init_cfg = None
    cfg.model.backbone.pop('drop_path_rate', None)  # would leave blocks out at random
    teacher = cfg.model.get('target_generator') or {}
    if teacher.get('type') == 'PretrainedEncoder':
        cfg.model.target_generator.random = True  # no weights are at hand
    make_shallow(cfg, 'benchmarks' in str(name))
    return cfg


def make_shallow(cfg, base: bool = True, width: int | None = None) -> None:
    """Give ViT-L (and ViT-B if ``base``) two blocks, with as many trainable ones."""
    backbone = cfg.model.backbone
    if backbone.arch == 'vit-large' or (base and backbone.arch == 'vit-base'):
        depth, dims = (24, 1024) if backbone.arch == 'vit-large' else (12, 768)
        backbone.arch = dict(embed_dims=width or dims, num_layers=2, num_heads=16)
        if backbone.get('frozen_stages', -1) >= 0:
            backbone.frozen_stages -= depth - 2
        if 'out_indices' in backbone:
            backbone.out_indices = 0


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
    crop = [t for t in dataset.pipeline if t.type == 'RandomResizedCrop']
    assert [t.scale for t in crop] == [side]
    samples = [DataSample().set_gt_label(label) for label in labels]
    return dict(inputs=inputs, data_samples=samples)
