"""Gather what tools/quickstart.sh trained: a table on the terminal, and pictures."""

import argparse
import json
from pathlib import Path

from .common import run


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('root', help='folder of the runs')
    parser.add_argument('--debug', action='store_true', help='show tracebacks')
    return parser.parse_args(argv)


def last(work_dir: Path, key: str) -> float:
    """The last validation's figure of a run."""
    from bootmae_plugin.visualization import read_scalars

    return [r[key] for r in read_scalars(work_dir) if key in r][-1]


def knn(path: Path) -> float:
    (by_k,) = json.loads(path.read_text()).values()
    return by_k['20']


def report(args: argparse.Namespace) -> None:
    import torch
    from rich.console import Console
    from rich.table import Table

    from bootmae_plugin.datasets.digits import load_digits_rgb
    from bootmae_plugin.visualization import (
        load_model,
        plot_losses,
        save_reconstructions,
    )

    root = Path(args.root)
    table = Table(title='Digits: 360 held-out images, 100 scenes of them (%)')
    for column in ('protocol', 'random init', 'pretrained'):
        table.add_column(column, justify='left' if column == 'protocol' else 'right')
    top1 = 'accuracy/top1'
    rows = {
        '20-NN, top-1': lambda start: knn(root / f'knn_{start}.json'),
        'linear, top-1': lambda start: last(root / f'linear_{start}', top1),
        'finetune, top-1': lambda start: last(root / f'finetune_{start}', top1),
        'scenes, mIoU': lambda start: last(root / f'segmentation_{start}', 'mIoU'),
    }
    for protocol, score in rows.items():
        figures = [f'{score(start):.1f}' for start in ('random', 'boot')]
        table.add_row(protocol, *figures)
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
    ):
        console.print(f'picture: {path}')
    console.print(f'picture: {root / "segmentation_test" / "predictions.png"}')


def main(argv: list[str] | None = None) -> None:
    run(report, parse_args(argv))
