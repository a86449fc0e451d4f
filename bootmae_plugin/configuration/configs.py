"""Load a config with the overrides of the command line, ready for a runner."""

import argparse
import contextlib
from collections.abc import Iterable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from ..datasets.sources import check_data_root
from ..errors import UserError, check
from .names import find_config
from .options import RUNNER_KEYS, accepted_keys, check_options
from .variables import load_with_variables

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def load_config(config: str, options: dict[str, Any] | None = None) -> Config:
    """Load a config and apply ``--cfg-options``.

    Args:
        config: Path or name of a config, see :func:`find_config`.
        options: Values by dotted key. A variable of the config (``data_root``) is
            replaced in all its uses.

    Raises:
        UserError: if there is no such config, it cannot be loaded, or nothing reads
            one of the keys.
    """
    path = find_config(config)
    with _one_line(f'config {path} cannot be loaded'):
        cfg = Config.fromfile(path)
    if not options:
        return cfg
    variables = variables_of(cfg, options)
    with _one_line(f'--cfg-options cannot be applied to {path}'):
        merged = load_with_variables(path, variables) if variables else deepcopy(cfg)
        merged.merge_from_dict(options)
    check_options(cfg, merged, options)
    return merged


@contextlib.contextmanager
def _one_line(what: str) -> Iterator[None]:
    """Turn whatever goes wrong in a user's file into a :class:`UserError`."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        text = f'{type(error).__name__}: {" ".join(str(error).split())}'
        raise UserError(f'{what}: {text}') from error


def variables_of(cfg: Config, options: dict[str, Any]) -> dict[str, Any]:
    """Options that set a variable of the config instead of a runner's setting."""
    names = cfg.keys() - RUNNER_KEYS
    return {k: v for k, v in options.items() if k.partition('.')[0] in names}


def load_runner_config(args: argparse.Namespace) -> Config:
    """Load ``args.config`` for a runner: ours, with its launcher and work dir.

    Args:
        args: Options of the subcommands train and test.
    """
    cfg = load_config(args.config, args.cfg_options)
    cfg.launcher = args.launcher
    cfg.setdefault('default_scope', 'mmpretrain')
    cfg.setdefault('runner_type', 'mmpretrain.PluginRunner')
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs') / Path(cfg.filename).stem)
    if cfg.default_scope == 'mmseg':
        # MMSegInferencer, which reads the saved config, looks for it in the model.
        cfg.model.data_preprocessor = cfg.data_preprocessor
    for name in LOADERS:
        set_loader_defaults(cfg, name, args)
    return cfg


def set_loader_defaults(cfg: Config, name: str, args: argparse.Namespace) -> None:
    """Set mmpretrain's defaults: pinned memory, persistent workers, collate."""
    loader = cfg.get(name)
    if loader is None:
        return
    size = loader.get('batch_size', 1)
    check(
        isinstance(size, int) and size > 0,
        f'{name}.batch_size={size!r}: give a whole number from 1',
    )
    workers = loader.get('num_workers', 0)
    loader.setdefault('pin_memory', torch.cuda.is_available())
    loader.setdefault('persistent_workers', True)
    if workers == 0:  # torch refuses workers that persist where there are none
        loader['persistent_workers'] = False
    if cfg.get('default_scope') != 'mmseg':  # mmengine's own default is mmseg's
        loader.setdefault('collate_fn', dict(type='default_collate'))
    if isinstance(loader.get('collate_fn'), dict):
        # mmengine writes it into what is inherited as 'package::', and passes it on.
        loader['collate_fn'].pop('_scope_', None)
    if args.no_pin_memory:
        loader['pin_memory'] = False
    if getattr(args, 'no_persistent_workers', False):
        loader['persistent_workers'] = False


def check_data(cfg: Config, loaders: Iterable[str]) -> None:
    """Raise :class:`UserError` if a data folder is missing; nothing is read.

    A data set that can be downloaded is left to its class.

    Args:
        cfg: Config for a runner.
        loaders: Its data loaders that are used, as 'train_dataloader'.
    """
    for name in loaders:
        for dataset in _dicts(cfg.get(name)):
            root = dataset.get('data_root')
            accepted = accepted_keys(dataset, name, cfg) or ()
            if root and 'download' not in accepted:
                check_data_root(root)


def _dicts(settings: Any) -> Iterator[dict]:
    """All dicts in nested dicts and lists."""
    if isinstance(settings, dict):
        yield settings
        settings = list(settings.values())
    if isinstance(settings, (list, tuple)):
        for value in settings:
            yield from _dicts(value)
