"""What a work dir says about its run: config, log, pictures, checkpoints."""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mmengine.config import Config

from ..checkpoints.run_config import read_config
from ..errors import check
from ..reliability.work_dir import newest_checkpoint
from .curves import read_scalars

NOT_FIGURES = ('step', 'time', 'data_time')
STARTED = re.compile(r'^\d{8}_\d{6}$')  # folder of a (resumed) training


@dataclass(frozen=True)
class RunFiles:
    """Files of one run.

    Args:
        folder: Its work dir.

    Raises:
        UserError: from the attributes, if a file is missing or damaged.
    """

    folder: Path

    @property
    def name(self) -> str:
        """Name of the work dir."""
        return self.folder.resolve().name

    @cached_property
    def config(self) -> Config:
        """The complete config that the run wrote."""
        files = sorted(self.folder.glob('*/vis_data/config.py'))
        check(
            bool(files),
            f'{self.folder} is no work dir of a run (no */vis_data/config.py): give '
            'the folder that --work-dir or --out named',
        )
        config = read_config(files[-1])  # as data: a run may come from somebody else
        check(config is not None, f'{files[-1]} is not the config of a run: remove it')
        return Config(config)

    @cached_property
    def scalars(self) -> list[dict]:
        """Lines of the log, in order; steps that a resumed run repeated come once."""
        lines = {}
        for row in read_scalars(self.folder):
            kind = 'train' if 'loss' in row else 'val'
            lines[kind, row['step']] = row
        return list(lines.values())

    @property
    def kind(self) -> str:
        """'pretraining', 'segmenter' or 'classifier'."""
        model = self.config.get('model') or {}
        if model.get('masking') is not None:
            return 'pretraining'
        return 'segmenter' if 'decode_head' in model else 'classifier'

    @cached_property
    def training(self) -> list[dict]:
        """Lines of the training, each with ``at``, its place in epochs."""
        rows = [row for row in self.scalars if 'loss' in row and 'iter' in row]
        per_epoch = max((row['iter'] / row['epoch'] for row in rows), default=1)
        return [{**row, 'at': row['iter'] / per_epoch} for row in rows]

    @cached_property
    def validation(self) -> list[dict]:
        """Lines of the validations; their ``step`` counts epochs."""
        return [row for row in self.scalars if 'loss' not in row and 'step' in row]

    @property
    def stage_starts(self) -> list[int]:
        """Epochs at which a stage starts, the first stage excepted."""
        rows = [row for row in self.training if 'stage' in row]
        return [
            int(row['at'] - 1e-6)  # a stage starts with an epoch
            for before, row in zip(rows, rows[1:], strict=False)
            if row['stage'] != before['stage']
        ]

    @property
    def pictures(self) -> list[tuple[int, Path]]:
        """(epoch, file) of the reconstructions that were drawn while training."""
        found = self.folder.glob('*/vis_data/vis_image/reconstruction_*.png')
        return sorted((int(path.stem.rsplit('_', 1)[1]), path) for path in found)

    @property
    def checkpoint(self) -> Path | None:
        """The checkpoint that was written last, None if there is none."""
        return newest_checkpoint(self.folder)

    @property
    def command(self) -> str | None:
        """The command that started the run last, None if its log does not say."""
        logs = sorted(self.folder.glob('*/*.log'))
        for log in reversed(logs):
            with log.open(errors='replace') as file:
                for line in file:
                    if (found := re.search(r' command: (.*)', line)) is not None:
                        return found[1]
        return None

    @property
    def facts(self) -> dict[str, object]:
        """Figures of the run by name, for a table."""
        rows, loader = self.training, self.config.get('train_dataloader') or {}
        starts = sorted(p.name for p in self.folder.iterdir() if STARTED.match(p.name))
        facts = dict(
            trains=self.kind,
            started=_date(starts[0]) if starts else '?',
            trainings=len(starts),
            epochs=rows[-1]['epoch'] if rows else 0,
        )
        seconds = sorted(row['time'] for row in rows if 'time' in row)
        if seconds:
            step = seconds[len(seconds) // 2]
            facts['seconds a step (median)'] = step
            if batch := loader.get('batch_size'):
                facts['images/s of a process'] = round(batch / step)
        if rows:
            facts['last loss'] = rows[-1]['loss']
        for row in self.validation:
            facts.update({k: v for k, v in row.items() if k not in NOT_FIGURES})
        return facts


def _date(stamp: str) -> str:
    """Turn mmengine's 20261125_065743 into 2026-11-25 06:57."""
    return f'{stamp[:4]}-{stamp[4:6]}-{stamp[6:8]} {stamp[9:11]}:{stamp[11:13]}'


def flatten(cfg: dict, prefix: str = '') -> dict[str, object]:
    """Return the settings of a config by dotted key; lists count as one setting."""
    flat = {}
    for key, value in cfg.items():
        name = f'{prefix}{key}'
        if isinstance(value, dict) and value:
            flat.update(flatten(value, f'{name}.'))
        else:
            flat[name] = value
    return flat


def differences(configs: list[dict]) -> list[list[str]]:
    """Return [key, value in each config] of the settings in which configs differ.

    The names of the work dirs, and mmengine's notes where a setting was inherited from,
    are left out.
    """
    flat = [flatten(cfg) for cfg in configs]
    keys = dict.fromkeys(key for settings in flat for key in settings)
    keys = [k for k in keys if k != 'work_dir' and not k.endswith('_scope_')]
    rows = [[key, *(repr(s[key]) if key in s else '' for s in flat)] for key in keys]
    return [row for row in rows if len(set(row[1:])) > 1]
