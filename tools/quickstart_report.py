"""Gather what tools/quickstart.sh trained: a table on the terminal, and pictures."""

import argparse
from pathlib import Path

from _common import run


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('root', help='folder of the runs')
    parser.add_argument('--debug', action='store_true', help='show tracebacks')
    return parser.parse_args()


def top1(work_dir: Path) -> float:
    from bootmae_plugin.visualization import read_scalars

    key = 'accuracy/top1'
    return [r[key] for r in read_scalars(work_dir) if key in r][-1]


def main(args: argparse.Namespace) -> None:
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
    table = Table(title='Digits: top-1 on the 360 held-out images (%)')
    for column in ('protocol', 'random init', 'pretrained'):
        table.add_column(column, justify='left' if column == 'protocol' else 'right')
    for protocol in ('linear', 'finetune'):
        scores = [top1(root / f'{protocol}_{start}') for start in ('random', 'boot')]
        table.add_row(protocol, *(f'{score:.1f}' for score in scores))
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


if __name__ == '__main__':
    run(main, parse_args())
