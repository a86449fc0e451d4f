"""Loss curves with the stage boundaries, from the log of a work dir."""

import json
from pathlib import Path

from ..errors import check
from .figures import new_figure, save_figure


def read_scalars(work_dir: str | Path) -> list[dict]:
    """Read the logged scalars of a work dir, of all its (resumed) runs, in order.

    Returns:
        One dict per log line. Lines of training have ``iter``; lines of validation have
        no ``loss``.

    Raises:
        UserError: if the folder has no log.
    """
    files = sorted(Path(work_dir).glob('*/vis_data/scalars.json'))
    check(
        bool(files),
        f'{work_dir} holds no log (*/vis_data/scalars.json): give a work dir',
    )
    lines = (line for file in files for line in file.read_text().splitlines())
    return [json.loads(line) for line in lines if line.strip()]


def plot_losses(work_dir: str | Path, out: str | Path) -> Path:
    """Draw the loss of every branch over the epochs, with a line where a stage starts.

    Args:
        work_dir: Folder of the run.
        out: Picture to write.

    Raises:
        UserError: if the folder has no training log.
    """
    records = [r for r in read_scalars(work_dir) if 'loss' in r]
    check(bool(records), f'{work_dir} holds no training log yet')
    figure, ((axes,),) = new_figure((7, 4))
    per_epoch = max(r['iter'] / r['epoch'] for r in records)
    branches = sorted({k for r in records for k in r if k.startswith('loss_')})
    for name in branches or ['loss']:
        points = [(r['iter'] / per_epoch, r[name]) for r in records if name in r]
        axes.plot(*zip(*points, strict=True), label=name.replace('_', ': '))
    stages = [(r['iter'] / per_epoch, int(r.get('stage', 1))) for r in records]
    for (_, before), (x, stage) in zip(stages, stages[1:], strict=False):
        if stage != before:
            start = int(x - 1e-6)  # the stage starts with the epoch
            axes.axvline(start, color='gray', linestyle='--', linewidth=1)
            axes.annotate(f' stage {stage}', (start, axes.get_ylim()[1]), va='top')
    axes.set(xlabel='epoch', ylabel='loss', title=Path(work_dir).name)
    axes.legend()
    return save_figure(figure, out, dpi=120)
