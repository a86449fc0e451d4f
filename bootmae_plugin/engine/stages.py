"""The stages of a run: the epochs at which they start, and their checkpoints."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from mmengine import dist
from mmengine.logging import print_log

from ..checkpoints.strip import strip_checkpoint
from ..errors import UserError, check


def spread_stages(number: int, first: int, end: int) -> list[int]:
    """Return the first epochs of ``number`` stages that divide ``first`` to ``end``.

    If they cannot be of equal length, the first ones have one epoch more.
    """
    return [first - (-i * (end - first) // number) for i in range(number)]


def plan_stages(
    num_stages: int | None, boundaries: Sequence[float] | None, max_epochs: int
) -> list[int]:
    """Return the first epoch of every stage, counted from 0.

    Args:
        num_stages: Number of stages. Those that have no boundary divide the epochs
            after the last boundary evenly. None: one more than boundaries.
        boundaries: Where stages 2, 3, ... start: epochs from 1, or shares of the run
            below 1, which are rounded to epochs.
        max_epochs: Number of epochs of the run.

    Raises:
        UserError: if the stages do not fit the number of epochs.
    """
    check(
        num_stages is None
        or isinstance(num_stages, int)
        and 1 <= num_stages <= max_epochs,
        f'num_stages={num_stages} must be a whole number from 1 to the number of '
        f'epochs ({max_epochs}): each stage needs at least one epoch',
    )
    starts = [0]
    for boundary in boundaries or ():
        if 0 < boundary < 1:
            # The first epochs of a short run: a stage has at least one.
            boundary = max(round(boundary * max_epochs), starts[-1] + 1)
        starts.append(boundary)
    check(
        all(isinstance(start, int) for start in starts)
        and all(a < b for a, b in pairwise([*starts, max_epochs])),
        f'stage boundaries {boundaries} must increase and be epochs from 1 to '
        f'{max_epochs - 1}, or shares of the run between 0 and 1, for a run of '
        f'{max_epochs} epochs',
    )
    further = (num_stages or len(starts)) - len(starts)
    check(
        0 <= further < max_epochs - starts[-1],
        f'num_stages={num_stages} does not fit the {len(starts) - 1} boundaries '
        f'{boundaries} in {max_epochs} epochs: change one of them',
    )
    last = spread_stages(further + 1, starts[-1], max_epochs)
    return [*starts[:-1], *last]


def keep_started_stages(
    num_stages: int,
    old_starts: Sequence[int],
    old_end: int,
    epoch: int,
    max_epochs: int,
) -> list[int]:
    """Return the first epoch of every stage of a resumed run whose plan has changed.

    A stage that has started keeps its first and its last epoch. The stages after it
    divide the remaining epochs evenly. If they do not fit after the current stage, the
    current stage is shortened.

    Args:
        num_stages: Number of stages now.
        old_starts: First epochs of the stages before the change.
        old_end: Number of epochs before the change.
        epoch: Number of epochs that are done.
        max_epochs: Number of epochs now.

    Raises:
        UserError: if there are fewer epochs left than stages.
    """
    started = [start for start in old_starts if start <= epoch]
    remaining = num_stages - len(started)
    if remaining <= 0:
        return started
    next_start = [*old_starts, old_end][len(started)]
    if next_start + remaining > max_epochs:
        next_start = spread_stages(remaining + 1, epoch, max_epochs)[1]
        check(
            epoch < next_start <= max_epochs - remaining,
            f'{max_epochs - epoch} epochs are left after epoch {epoch}, too few for '
            f'the current stage and {remaining} more: raise train_cfg.max_epochs or '
            'lower num_stages',
        )
    return [*started, *spread_stages(remaining, next_start, max_epochs)]


def shown_epochs(starts: Sequence[int]) -> str:
    """Return the first three of some epochs as text, counted from 1."""
    numbers = [str(start + 1) for start in starts[:3]]
    return ', '.join([*numbers, '...'] if len(starts) > 3 else numbers) or 'none'


def stage_file(stage: int) -> str:
    """Return the name of the checkpoint that is saved at the end of a stage."""
    return f'stage_{stage}.pth'


def reduce_stage_files(
    work_dir: str | Path, stages: Sequence[int], parts: Mapping[int, str]
) -> list[int]:
    """Reduce or remove checkpoints of stages; only the first process does it.

    A file that is gone or reduced already is skipped, so this can be repeated.

    Args:
        work_dir: The folder of the files.
        stages: The stages whose files are reduced.
        parts: The weights that stay of some stages: those whose keys begin with this
            prefix. The files of the other stages are removed.

    Returns:
        The stages whose files could not be reduced, as on a full disk.
    """
    failed = []
    for stage in stages if dist.is_main_process() else ():
        path = Path(work_dir) / stage_file(stage)
        try:
            if stage not in parts:
                path.unlink(missing_ok=True)
            elif path.is_file():
                strip_checkpoint(path, parts[stage])
        except (UserError, OSError) as error:
            print_log(f'{path} stays as it is: {error}', 'current', level=30)
            failed.append(stage)
    return failed
