"""A ladder: the runs that one question needs, in a Python file.

# results/ladders/optimizer.py
question = 'Which optimizer and learning rate, at 8 epochs?'
config = 'bootmae_deit-tiny-d48_cifar10'
benchmark = 'configs/benchmarks/linear/deit-tiny-d48_cifar10.py'
pools = ['avg', 'flatten64']
seeds = [0]
options = {'train_cfg.max_epochs': 8}       # of all runs
runs = {
    'AdamW 2e-3': {},
    'Muon 6e-3': {'optim_wrapper.optimizer.lr': 6e-3},
    'VICReg': {'config': 'vicreg_deit-tiny-d48_cifar10'},
}

With ``benchmark = 'test'`` the runs are classifiers: ``tools/test.py`` tests each by
its own config, whose test images should be held out from the training images
(``results/configs/fold.py``). ``figures = ['mIoU', 'aAcc']`` are the columns of its
table, in this order, where not all of them fit.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

from bootmae_plugin.errors import UserError, check

TEST = 'test'  # instead of a benchmark
KEYS = dict(
    question=str,
    config=str,
    benchmark=str,
    pools=list,
    seeds=list,
    options=dict,
    runs=dict,
    figures=list,
)


@dataclass(frozen=True)
class Run:
    """One training of a ladder.

    Args:
        ladder: Name of the ladder.
        name: Name of the run in the ladder, as the tables show it.
        seed: Seed of the training.
        config: Config of the pretraining.
        options: Its ``--cfg-options``.
    """

    ladder: str
    name: str
    seed: int
    config: str
    options: dict = field(hash=False)

    @property
    def work_dir(self) -> Path:
        """Folder of its checkpoints."""
        words = re.sub(r'[^\w.-]+', '-', self.name.lower()).strip('-')
        return Path('work_dirs/study') / self.ladder / f'{words}_seed{self.seed}'

    @property
    def words(self) -> list[str]:
        """Words of its ``--cfg-options``."""
        options = {**self.options, 'randomness.seed': self.seed}
        return [f'{key}={_word(value)}' for key, value in options.items()]


@dataclass(frozen=True)
class Ladder:
    """The runs of one question; see the module for the keys of its file."""

    name: str
    question: str
    benchmark: str
    pools: list[str]
    runs: list[Run]
    figures: list[str]


def _word(value) -> str:
    """Write a value as ``--cfg-options`` reads it: no spaces within a list."""
    if isinstance(value, (list, tuple)):
        return '[' + ','.join(_word(item) for item in value) + ']'
    return str(value)


def read_ladder(
    path: str | Path,
    only: list[str] | None = None,
    seeds: list[int] | None = None,
) -> Ladder:
    """Read a ladder; the file is Python and is executed, as a config is.

    Args:
        path: The file.
        only: Names of the runs to keep. Default: all.
        seeds: Seeds to keep. Default: all.

    Raises:
        UserError: if the file, a key, a name in ``only`` or a seed is wrong.
    """
    path = Path(path)
    check(path.is_file(), f'no ladder {path}: give a file of results/ladders/')
    values = dict(figures=[])
    try:
        exec(compile(path.read_text(), str(path), 'exec'), values)
    except Exception as error:
        raise UserError(f'{path} is no ladder: {error!r}') from error
    for key, kind in KEYS.items():
        check(
            isinstance(values.get(key), kind),
            f'{path}: {key}={values.get(key)!r} must be a {kind.__name__}',
        )
    unknown = set(only or []) - set(values['runs'])
    check(
        not unknown,
        f'{path} has no run {sorted(unknown)}: choose of {list(values["runs"])}',
    )
    unknown = set(seeds or []) - set(values['seeds'])
    check(
        not unknown,
        f'{path} has no seed {sorted(unknown)}: choose of {values["seeds"]}',
    )
    runs = []
    for seed in seeds or values['seeds']:
        for name, own in values['runs'].items():
            if only and name not in only:
                continue
            options = {**values['options'], **own}
            config = options.pop('config', values['config'])
            runs.append(Run(path.stem, name, seed, config, options))
    folders = [run.work_dir for run in runs]
    check(len(set(folders)) == len(folders), f'{path}: two runs share a work dir')
    own = (values[key] for key in ('question', 'benchmark', 'pools'))
    return Ladder(path.stem, *own, runs, values['figures'])
