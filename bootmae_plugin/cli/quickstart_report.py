"""Show the results of tools/quickstart.sh: a table and pictures."""

import argparse
import json
import statistics
from functools import partial
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from ..datasets.fashion_mnist import load_fashion_mnist_12k
from ..visualization import load_model, plot_losses, read_scalars, save_reconstructions
from .common import run
from .outcome import make_parser

STARTS = {'random init': 'random', 'pretrained': 'pretrained'}


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser('quickstart_report', __doc__)
    parser.add_argument(
        'roots',
        nargs='+',
        metavar='root',
        help='folder of the runs; several: mean and standard deviation over them',
    )
    return parser.parse_args(argv)


def last_score(work_dir: Path) -> float:
    """Accuracy of the last validation of a run."""
    key = 'accuracy/top1'
    return [row[key] for row in read_scalars(work_dir) if key in row][-1]


def frozen_score(path: Path, key: str) -> float:
    """Accuracy that knn or linear-probe wrote, of one pooling."""
    (figures,) = json.loads(path.read_text()).values()
    return figures[key]


# Row of the table -> function of the folder and the start.
PROTOCOLS = {
    f'{title}, {labels} labels per class': partial(score, labels)
    for title, score in {
        '20-NN': lambda labels, root, start: frozen_score(
            root / f'knn_{labels}_{start}.json', '20'
        ),
        'linear': lambda labels, root, start: frozen_score(
            root / f'linear_probe_{labels}_{start}.json', 'mean'
        ),
        'finetune': lambda labels, root, start: last_score(
            root / f'finetune_{labels}_{start}'
        ),
    }.items()
    for labels in (10, 100)
}


def cell(scores: list[float]) -> str:
    """Return the mean of the runs, with the standard deviation if there are several."""
    mean = f'{statistics.mean(scores):.1f}'
    return mean if len(scores) == 1 else f'{mean} ± {statistics.stdev(scores):.1f}'


def report(args: argparse.Namespace) -> None:
    roots = [Path(root) for root in args.roots]
    table = Table(title='Fashion-MNIST: 2,000 held-out images, top-1 (%)')
    for column in ('protocol', *STARTS):
        table.add_column(column, justify='left' if column == 'protocol' else 'right')
    for protocol, score in PROTOCOLS.items():
        scores = ([score(root, start) for root in roots] for start in STARTS.values())
        table.add_row(protocol, *map(cell, scores))
    console = Console()
    console.print(table)

    root = roots[0]
    torch.manual_seed(0)  # the same masks every time
    (config,) = (root / 'pretrain').glob('*.py')
    model = load_model(config, root / 'pretrain/stage_3.pth')
    gray, _ = load_fashion_mnist_12k('test')
    images = torch.from_numpy(gray[::125])[:, None].expand(-1, 3, -1, -1)
    for path in (
        save_reconstructions(model, images, root / 'reconstructions.png'),
        plot_losses(root / 'pretrain', root / 'loss.png'),
    ):
        console.print(f'picture: {path}')


def main(argv: list[str] | None = None) -> None:
    run(report, parse_args(argv))
