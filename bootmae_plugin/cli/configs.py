"""Find and load a config, with the overrides of the command line."""

import argparse
import contextlib
import difflib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
import yaml
from mmengine.config import Config

from .. import config_path
from ..datasets.sources import check_data_root
from ..errors import UserError, check
from .options import RUNNER_KEYS, accepted_keys, check_options
from .variables import load_with_variables

PREFIX = 'bootmae_plugin::'
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def load_config(config: str, options: dict[str, Any] | None = None) -> Config:
    """Load a config and apply ``--cfg-options``.

    Args:
        config: Path of a config, ``bootmae_plugin::selfsup/NAME.py``, or the name of
            one of our configs or models, such as 'bootmae_deit-tiny_cifar10'.
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
    with _one_line(f'--cfg-options cannot be applied to {path}'):
        merged = load_with_variables(path, variables_of(cfg, options))
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


def find_config(config: str) -> str:
    """Return the path of a config, see :func:`load_config`."""
    if config.startswith(PREFIX):
        return config_path(config.removeprefix(PREFIX))
    path = Path(config)
    if path.is_file():
        check(
            path.suffix in ('.py', '.json', '.yaml', '.yml'),
            f'{config} is not a config (.py): give the config first, then the '
            'checkpoint',
        )
        return config
    named = our_configs()
    found = named.get(path.stem, []) if config in (path.stem, path.name) else []
    if len(found) == 1:
        return config_path(found[0])
    if len(found) > 1:
        raise UserError(
            f'there are several configs {config}: give {PREFIX}PATH, with one of '
            f'{", ".join(found)}'
        )
    near = difflib.get_close_matches(path.stem, named, n=3)
    near = f'; the nearest of ours: {", ".join(near)}' if near else ''
    raise UserError(
        f'config {config} does not exist: give the path of a .py config, or '
        f'the name of one of ours{near}'
    )


def our_configs() -> dict[str, list[str]]:
    """Paths below ``configs/`` by name: of the file, and of list_models()."""
    root = Path(config_path('metafile.yml')).parent
    named: dict[str, list[str]] = {}
    for folder in ('selfsup', 'benchmarks'):
        for path in sorted((root / folder).rglob('*.py')):
            named.setdefault(path.stem, []).append(path.relative_to(root).as_posix())
    index = yaml.safe_load((root / 'metafile.yml').read_text(encoding='utf-8'))
    for model in index['Models']:
        path = model['Config'].removeprefix('configs/')
        named[model['Name']] = [path]
    return named


def load_runner_config(args: argparse.Namespace) -> Config:
    """Load ``args.config`` for a runner: ours, with its launcher and work dir.

    Args:
        args: Options of :func:`.common.add_common_arguments`, and ``config``.
    """
    cfg = load_config(args.config, args.cfg_options)
    cfg.launcher = args.launcher
    cfg.setdefault('default_scope', 'mmpretrain')
    cfg.setdefault('runner_type', 'mmpretrain.PluginRunner')
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs') / Path(cfg.filename).stem)
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
    loader.setdefault('collate_fn', dict(type='default_collate'))
    if isinstance(loader['collate_fn'], dict):
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
