"""Show the results of tools/quickstart.sh: a table and pictures."""

import argparse
import json
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from ..datasets.digits import load_digits_rgb
from ..visualization import load_model, plot_losses, read_scalars, save_reconstructions
from .common import run
from .outcome import make_parser


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser('quickstart_report', __doc__)
    parser.add_argument('root', help='folder of the runs')
    return parser.parse_args(argv)


def last_score(work_dir: Path, key: str) -> float:
    """Figure of the last validation of a run."""
    return [row[key] for row in read_scalars(work_dir) if key in row][-1]


def knn_score(path: Path) -> float:
    """20-NN accuracy that tools/knn.py wrote."""
    (by_k,) = json.loads(path.read_text()).values()
    return by_k['20']


def report(args: argparse.Namespace) -> None:
    root = Path(args.root)
    table = Table(title='Digits: 360 held-out images, 100 scenes of them (%)')
    for column in ('protocol', 'random init', 'pretrained'):
        table.add_column(column, justify='left' if column == 'protocol' else 'right')
    top1 = 'accuracy/top1'
    rows = {
        '20-NN, top-1': lambda start: knn_score(root / f'knn_{start}.json'),
        'linear, top-1': lambda start: last_score(root / f'linear_{start}', top1),
        'finetune, top-1': lambda start: last_score(root / f'finetune_{start}', top1),
        'scenes, mIoU': lambda start: last_score(
            root / f'segmentation_{start}', 'mIoU'
        ),
    }
    for protocol, score in rows.items():
        table.add_row(
            protocol, *(f'{score(start):.1f}' for start in ('random', 'boot'))
        )
    console = Console()
    console.print(table)

    torch.manual_seed(0)  # the same masks every time
    pretrain = root / 'pretrain'
    model = load_model(
        pretrain / 'bootmae_deit-tiny_digits.py', pretrain / 'stage_1.pth'
    )
    images = torch.from_numpy(load_digits_rgb('test')[0][:16]).permute(0, 3, 1, 2)
    for path in (
        save_reconstructions(model, images, root / 'reconstructions.png'),
        plot_losses(pretrain, root / 'loss.png'),
        root / 'segmentation_test' / 'predictions.png',
    ):
        console.print(f'picture: {path}')


def main(argv: list[str] | None = None) -> None:
    run(report, parse_args(argv))
