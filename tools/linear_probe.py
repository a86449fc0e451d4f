"""Linear evaluation in minutes: features once, then the linear layer alone.

Learning rate and weight decay are chosen on a tenth of the training images; the test
images are looked at once a seed.
"""

import argparse

from _common import run
from _features import add_arguments, feature_sets


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    parser.add_argument('--epochs', type=int, default=90, help='default: 90')
    parser.add_argument('--seeds', type=int, default=3, help='default: 3')
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    from mmengine.registry import init_default_scope
    from rich.console import Console
    from rich.table import Table

    from bootmae_plugin.errors import check
    from bootmae_plugin.evaluation import linear_probe

    check(args.epochs > 0, f'--epochs {args.epochs} must be positive')
    check(args.seeds > 0, f'--seeds {args.seeds} must be positive')
    init_default_scope('mmpretrain')
    table = Table(title=f'Linear top-1 (%), {args.seeds} seeds, {args.epochs} epochs')
    for column in ('pool', 'width', 'test', 'held out', 'lr', 'weight decay'):
        table.add_column(column, justify='left' if column == 'pool' else 'right')
    for pool, data in feature_sets(args).items():
        result = linear_probe(
            data, args.epochs, range(args.seeds), copies=1 + args.flip
        )
        table.add_row(
            pool,
            str(data.train.shape[1]),
            f'{result.mean:.2f} ± {result.std:.2f}',
            f'{result.held_out:.2f}',
            f'{result.rate:g}',
            f'{result.decay:g}',
        )
    Console().print(table)


if __name__ == '__main__':
    run(main, parse_args())
