"""A pretraining that takes seconds, its encoder, and :func:`run_tool` for the tools."""

from pathlib import Path

from mmengine.config import Config

from bootmae_plugin.cli.common import run_in_process as run_tool  # noqa: F401
from bootmae_plugin.models import MaskedDeiT

ROOT = Path(__file__).resolve().parents[1]
ARCH = dict(embed_dims=24, num_layers=2, num_heads=2)
TINY = {
    'model.backbone.arch': ARCH,
    'model.neck.embed_dims': 24,
    'model.neck.depth': 1,
    'model.neck.num_heads': 2,
    'train_dataloader.batch_size': 16,
    'train_dataloader.dataset.source.indices': 64,
}


def tiny_config(work_dir, epochs: int = 4, stages: int = 2, **options) -> Config:
    """Return a tiny version of the digits config.

    Args:
        work_dir: Folder of the run.
        epochs: Number of epochs.
        stages: Number of stages.
        **options: Overrides by dotted key, with ``__`` in place of each dot.
    """
    cfg = Config.fromfile(ROOT / 'configs/selfsup/bootmae_deit-tiny_digits.py')
    cfg.merge_from_dict(TINY)
    cfg.optim_wrapper.type = 'OptimWrapper'  # float32: runs are compared bit by bit
    cfg.work_dir = str(work_dir)
    cfg.train_cfg.max_epochs = epochs
    cfg.default_hooks.bootstrap.num_stages = stages
    cfg.runner_type = 'mmpretrain.PluginRunner'
    cfg.launcher = 'none'
    cfg.merge_from_dict({k.replace('__', '.'): v for k, v in options.items()})
    return cfg


def tiny_options() -> list[str]:
    """Return :data:`TINY` as words for ``--cfg-options``."""
    words = []
    for key, value in TINY.items():
        if isinstance(value, dict):
            words += [f'{key}.{k}={v}' for k, v in value.items()]
        else:
            words.append(f'{key}={value}')
    return words


def student(**kwargs) -> MaskedDeiT:
    """Return a tiny encoder for images of 32 x 32, without weights from a file."""
    return MaskedDeiT(**{**dict(arch=ARCH, img_size=32, patch_size=4), **kwargs})
