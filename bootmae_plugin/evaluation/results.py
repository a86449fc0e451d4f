"""Results of evaluations as rows of a CSV file, one format for all tools."""

import csv
import io
from dataclasses import dataclass
from datetime import datetime, timezone
from math import isnan, nan
from pathlib import Path

import torch
from mmengine.utils import get_git_hash

from ..errors import check

COLUMNS = [
    *('config', 'checkpoint', 'protocol', 'pool', 'split', 'labels', 'seeds', 'mean'),
    *('std', 'scores', 'effective_rank', 'seconds', 'date', 'commit', 'command'),
]


@dataclass(frozen=True)
class Result:
    """One figure: a protocol on one form of the features of one checkpoint.

    Args:
        config: Config of the evaluation, as given.
        checkpoint: As given; 'random' for an untrained encoder, '' for pixels.
        protocol: 'linear' or '20-NN', for example; of a tested model its metric.
        pool: Pooling of the tokens.
        split: 'test', or 'val' for held-out training images.
        labels: Number of labeled training images; None: unknown.
        scores: Top-1 in percent, or another metric, one for each of the ``seeds``.
        seeds: Seeds of the evaluation: of the training, and of the drawn labels. Empty
            for a tested model.
        effective_rank: Of the training features. Defaults to NaN: not measured.
        seconds: Wall-clock time of the protocol, without that of the features.
        command: Command that gave it.
    """

    config: str
    checkpoint: str
    protocol: str
    pool: str
    split: str
    labels: int | None
    scores: tuple[float, ...]
    seeds: tuple[int, ...]
    seconds: float
    command: str
    effective_rank: float = nan

    @property
    def mean(self) -> float:
        """Mean of the scores."""
        return sum(self.scores) / len(self.scores)

    @property
    def std(self) -> float:
        """Standard deviation of the scores (over the population; 0 of one)."""
        scores = torch.tensor(self.scores, dtype=torch.float64)
        return float(scores.std(correction=0))

    def row(self) -> dict[str, str]:
        """Return the columns: the fields, mean, spread, date (UTC) and git commit.

        The commit is that of the working directory, empty outside of a repository.
        """
        now, rank = datetime.now(timezone.utc), self.effective_rank
        return dict(
            config=self.config,
            checkpoint=self.checkpoint,
            protocol=self.protocol,
            pool=self.pool,
            split=self.split,
            labels='' if self.labels is None else str(self.labels),
            seeds=' '.join(map(str, self.seeds)),
            mean=f'{self.mean:.2f}',
            std=f'{self.std:.2f}',
            scores=' '.join(f'{score:.2f}' for score in self.scores),
            effective_rank='' if isnan(rank) else f'{rank:.1f}',
            seconds=f'{self.seconds:.1f}',
            date=f'{now:%Y-%m-%d}',
            commit=get_git_hash(fallback='', digits=10),
            command=self.command,
        )


def check_csv(path: str | Path) -> None:
    """Check that results can be appended to a file, before they are measured.

    Raises:
        UserError: if the file has other columns, or its folder does not exist.
    """
    path = Path(path)
    check(
        path.parent.is_dir(),
        f'{path}: the folder {path.parent} does not exist: make it first',
    )
    if path.is_file() and path.stat().st_size:
        with path.open(newline='', encoding='utf-8') as file:
            columns = next(csv.reader(file))
        check(
            columns == COLUMNS,
            f'{path} has other columns than a table of results (first: '
            f'{columns[0]!r}, expected {COLUMNS[0]!r}): give another file',
        )


def append_results(path: str | Path, results: list[Result]) -> None:
    """Append one row per result to a CSV file; a new file gets the header first.

    Raises:
        UserError: as :func:`check_csv`.
    """
    check_csv(path)
    path = Path(path)
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator='\n')
    if not path.is_file() or not path.stat().st_size:
        writer.writeheader()
    writer.writerows(result.row() for result in results)
    with path.open(
        'a', newline='', encoding='utf-8'
    ) as file:  # in one piece, beside other processes
        file.write(text.getvalue())
