"""Write the config of a run: what it inherits by name, and what it changes."""

from pathlib import Path
from typing import Any

from mmengine.config import Config

from .. import config_path
from ..errors import check
from ..hints import command
from .configs import load_config

NAME = 'config.py'  # of the file in a run's folder
PACKAGE = __package__.partition('.')[0]
MARK = '# Written by: '


def difference(old: dict, new: dict) -> dict:
    """Return the settings that turn ``old`` into ``new`` when ``new`` inherits it."""
    changed = {}
    for key, value in new.items():
        before = old.get(key)
        if isinstance(value, dict) and isinstance(before, dict):
            if before.keys() - value.keys():  # a key is gone: replace the whole dict
                changed[key] = dict(_delete_=True, **value)
            elif inner := difference(before, value):
                changed[key] = inner
        elif key not in old or value != before or type(value) is not type(before):
            replaces = isinstance(value, dict) and before is not None
            changed[key] = dict(_delete_=True, **value) if replaces else value
    return changed


def write_config(folder: Path, base: str, options: dict[str, Any], note: str) -> Path:
    """Write ``config.py`` into the folder of a new run.

    Args:
        folder: Folder of the run; it is made.
        base: Path of the inherited config below ``configs/``.
        options: What differs, by dotted key, as for ``--cfg-options``.
        note: The command that was given, for the comment at the top.

    Returns:
        The path of the config. ``bootmae train`` trains it in this folder.

    Raises:
        UserError: if the folder holds a run already, or nothing reads an option.
    """
    path = folder / NAME
    # A start that failed, as for a bad photo, may be repeated with other options.
    failed = path.is_file() and path.read_text(encoding='utf-8').startswith(MARK)
    check(
        (failed or not path.exists()) and not any(folder.glob('*.pth')),
        f'{folder} holds a run already: continue it with {command("train")} {path} '
        '--resume, or choose another --out',
    )
    inherited = Config.fromfile(config_path(base)).to_dict()
    merged = load_config(config_path(base), options).to_dict()
    text = Config(difference(inherited, merged)).pretty_text
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f'{MARK}{note}\n'
        f'# Continue it: {command("train")} {path} --resume\n'
        f'# Repeat it: {command("train")} {path} --work-dir ANOTHER_FOLDER\n'
        f'_base_ = __import__({PACKAGE!r}).config_path({base!r})\n'
        "work_dir = '{{ fileDirname }}'\n\n"
        f'{text}',
        encoding='utf-8',
    )
    return path


def limit_batch(base: Config, number: int, asked: int | None) -> int:
    """Return the batch size: as asked or of the config, at most the number of images.

    Args:
        base: The inherited config.
        number: Number of training images.
        asked: As given by the user, or None.
    """
    check(asked is None or asked > 0, f'--batch-size {asked}: give a number from 1')
    return min(asked or base.train_dataloader.batch_size, number)
