"""Find a config by its name; needs neither torch nor the framework."""

import difflib
from pathlib import Path, PurePosixPath

import yaml

from .. import config_path
from ..errors import UserError, check

PREFIX = 'bootmae_plugin::'


def find_config(config: str) -> str:
    """Return the path of a config.

    Args:
        config: Path of a config, ``bootmae_plugin::selfsup/NAME.py``, or the name of
            one of our configs or models, such as 'bootmae_deit-tiny_cifar10'. Where
            several folders have the name, its last folders tell them apart:
            'finetune/deit-tiny_cifar10'.

    Raises:
        UserError: if there is no such config (the message names the nearest three), or
            several.
    """
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
    asked = PurePosixPath(config.removesuffix('.py'))
    found = [
        place
        for place in named.get(asked.name, [])
        if PurePosixPath('configs', place.removesuffix('.py')).match(str(asked))
        or asked.parts == (asked.name,)  # a model's name is not that of its file
    ]
    if len(found) == 1:
        return config_path(found[0])
    if len(found) > 1:
        raise UserError(
            f'there are several configs {config}: give one of '
            f'{", ".join(place.removesuffix(".py") for place in found)}'
        )
    near = difflib.get_close_matches(asked.name, named, n=3)
    near = f'; the nearest of ours: {", ".join(near)}' if near else ''
    raise UserError(
        f'config {config} does not exist: give the path of a .py config, or '
        f'the name of one of ours{near}'
    )


def config_folder() -> Path:
    """Return the folder ``configs`` of the checkout or of the installed package."""
    return Path(config_path('metafile.yml')).parent


def config_files() -> list[Path]:
    """List our configs of trainings, sorted; without the parts they inherit."""
    root = config_folder()
    folders = (root / folder for folder in ('selfsup', 'benchmarks'))
    return [path for folder in folders for path in sorted(folder.rglob('*.py'))]


def our_configs() -> dict[str, list[str]]:
    """Paths below ``configs/`` by name: of the file, and of list_models()."""
    root = config_folder()
    named: dict[str, list[str]] = {}
    for path in config_files():
        named.setdefault(path.stem, []).append(path.relative_to(root).as_posix())
    index = yaml.safe_load((root / 'metafile.yml').read_text(encoding='utf-8'))
    for model in index['Models']:
        # A model that ships with its weights has the name of its config file.
        if model['Config'].startswith('configs/'):
            named[model['Name']] = [model['Config'].removeprefix('configs/')]
    return named
