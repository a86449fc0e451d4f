"""What a folder of a run holds: its config and its newest checkpoint."""

from pathlib import Path
from typing import NamedTuple

from mmengine.config import Config

from ..checkpoints import shipped
from ..checkpoints.run_config import read_config
from ..errors import check
from ..reliability.work_dir import newest_checkpoint


class Run(NamedTuple):
    """A run that has trained.

    Attributes:
        folder: Its work dir.
        config: The complete config that it saved.
        checkpoint: Its newest checkpoint, or the one that was asked for.
    """

    folder: Path
    config: Config
    checkpoint: Path


def open_run(path: str | Path) -> Run:
    """Find the config and the checkpoint of a run.

    The config is read without running it.

    Args:
        path: The run's folder, one of its checkpoints, or ``bootmae_plugin://NAME``
            for a run whose weights ship with the package.

    Raises:
        UserError: if there is no run, or it has no checkpoint yet.
    """
    if str(path).startswith(shipped.SCHEME):
        path = shipped.shipped_weights(str(path))
        config = shipped.FOLDER / f'{path.stem}.py'
        # Nothing is written into the package, but below the current folder.
        folder = Path(path.stem)
        return Run(folder, Config(read_config(config)), path)
    path = Path(path)
    check(path.exists(), f'run {path} does not exist: give the folder of a training')
    folder = path if path.is_dir() else path.parent
    saved = [read_config(file) for file in sorted(folder.glob('*.py'))]
    saved = [config for config in saved if config and 'model' in config]
    check(
        bool(saved),
        f'{folder} is not the folder of a run: it has no config that a training saved',
    )
    checkpoint = path if path.is_file() else newest_checkpoint(folder)
    check(
        checkpoint is not None,
        f'run {folder} has no checkpoint yet: wait for its first epoch',
    )
    return Run(folder, Config(saved[0]), checkpoint)


def find_checkpoint(path: str | Path) -> Path:
    """Return a checkpoint, or the newest one in the folder of a run.

    Raises:
        UserError: if there is none.
    """
    path = Path(path)
    check(path.exists(), f'{path} does not exist: give the folder of a run or a file')
    found = newest_checkpoint(path) if path.is_dir() else path
    check(
        found is not None,
        f'{path} has no checkpoint of a training (epoch_N.pth, iter_N.pth): check the '
        'path, or wait for its first epoch',
    )
    return found


def cache_of(run: Path) -> Path:
    """Return the folder of decoded photos that the runs beside a run share."""
    return run.absolute().parent / 'pixels'
