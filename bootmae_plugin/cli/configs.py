"""Load a config for the command line."""

import argparse
from pathlib import Path

import torch
from mmengine.config import Config

import bootmae_plugin

from ..errors import UserError, check


def load_config(args: argparse.Namespace) -> Config:
    """Load ``args.config`` (a path, or ``bootmae_plugin::...``) with our runner."""
    path = args.config
    if path.startswith('bootmae_plugin::'):
        path = bootmae_plugin.config_path(path.removeprefix('bootmae_plugin::'))
    check(
        Path(path).is_file(),
        f'config {args.config} does not exist: give the path of a .py config, or '
        'bootmae_plugin::selfsup/NAME.py for one of the installed ones',
    )
    try:
        cfg = Config.fromfile(path)
    except UserError:
        raise
    except Exception as error:  # whatever goes wrong in a user's file
        what = f'{type(error).__name__}: {" ".join(str(error).split())}'
        raise UserError(f'config {path} cannot be loaded: {what}') from error
    cfg.launcher = args.launcher
    cfg.setdefault('default_scope', 'mmpretrain')
    cfg.setdefault('runner_type', 'mmpretrain.PluginRunner')
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs') / Path(path).stem)
    return cfg


def set_loader_defaults(cfg: Config, field: str, args: argparse.Namespace) -> None:
    """Set mmpretrain's defaults: pinned memory, persistent workers, collate."""
    loader = cfg.get(field)
    if loader is None:
        return
    workers = loader.get('num_workers', 0)
    loader.setdefault('pin_memory', torch.cuda.is_available())
    loader.setdefault('persistent_workers', workers > 0)
    loader.setdefault('collate_fn', dict(type='default_collate'))
    if isinstance(loader['collate_fn'], dict):
        # mmengine writes it into what is inherited as 'package::', and passes it on.
        loader['collate_fn'].pop('_scope_', None)
    if args.no_pin_memory:
        loader['pin_memory'] = False
    if getattr(args, 'no_persistent_workers', False):
        loader['persistent_workers'] = False
