"""A pretraining run of seconds, and the command-line tools within this process."""

from pathlib import Path

from mmengine.config import Config

from bootmae_plugin.cli.common import run_in_process as run_tool  # noqa: F401

ROOT = Path(__file__).resolve().parents[1]
TINY = {
    'model.backbone.arch': dict(embed_dims=24, num_layers=2, num_heads=2),
    'model.neck.embed_dims': 24,
    'model.neck.depth': 1,
    'model.neck.num_heads': 2,
    'train_dataloader.batch_size': 16,
    'train_dataloader.dataset.source.indices': 64,
}


def tiny_config(work_dir, epochs: int = 4, stages: int = 2, **options) -> Config:
    """The digits config made tiny; in the options ``__`` stands for a dot."""
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
    """The same as ``--cfg-options`` words for the command line."""
    words = []
    for key, value in TINY.items():
        if isinstance(value, dict):
            words += [f'{key}.{k}={v}' for k, v in value.items()]
        else:
            words.append(f'{key}={value}')
    return words
