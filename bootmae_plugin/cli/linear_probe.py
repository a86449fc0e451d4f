"""Evaluate a pretrained encoder by a linear layer, in minutes.

The features are extracted once and cached; then the layer alone is trained. Learning
rate and weight decay are chosen on a tenth of the training images; the test set is
evaluated once per seed. --commands prints the command of the same training, which
encodes every image in every epoch.
"""

import argparse

import torch
from rich.console import Console
from rich.table import Table

from ..errors import check
from ..evaluation import FeatureSet, linear_probe, training_command
from ..evaluation.linear_probe import DECAYS, OPTIMIZER_CONFIGS
from .common import run
from .features import add_arguments, load_feature_sets, write_figures
from .outcome import make_parser


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser('linear-probe', __doc__)
    add_arguments(parser)
    parser.add_argument(
        '--epochs', type=int, default=90, help='epochs of the training (default: 90)'
    )
    parser.add_argument(
        '--seeds', type=int, default=3, help='number of trainings (default: 3)'
    )
    parser.add_argument(
        '--batch-size', type=int, default=512, help='images per step (default: 512)'
    )
    parser.add_argument(
        '--optimizer',
        choices=sorted(OPTIMIZER_CONFIGS),
        default='sgd',
        help='sgd (default), or lars as in the DeiT-Tiny / CIFAR-10 report',
    )
    parser.add_argument(  # the name before, still accepted
        '--optimiser',
        dest='optimizer',
        choices=sorted(OPTIMIZER_CONFIGS),
        default=argparse.SUPPRESS,
        help=argparse.SUPPRESS,
    )
    parser.add_argument(
        '--lr',
        type=float,
        nargs='+',
        help='learning rates to choose from, for a batch of 512',
    )
    parser.add_argument(
        '--weight-decay', type=float, nargs='+', help='weight decays to choose from'
    )
    parser.add_argument(
        '--search-epochs',
        type=int,
        help='epochs of each choice (default: a third of --epochs, at most 90)',
    )
    parser.add_argument(
        '--commands',
        action='store_true',
        help='print the commands of the same trainings',
    )
    return parser.parse_args(argv)


def evaluate_linear(args: argparse.Namespace) -> None:
    for name in ('epochs', 'seeds', 'batch_size', 'search_epochs'):
        value, option = getattr(args, name), name.replace('_', '-')
        check(value is None or value > 0, f'--{option} {value} must be positive')
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    table = Table(
        title=f'Linear top-1 (%), {args.seeds} seeds, {args.epochs} epochs of '
        f'{args.optimizer.upper()}'
    )
    for column in ('pool', 'width', 'test', 'held out', 'lr', 'weight decay'):
        table.add_column(column, justify='left' if column == 'pool' else 'right')
    commands, figures = [], {}
    for pool, data in load_feature_sets(args).items():
        width = data.train.shape[1]
        result = linear_probe(
            FeatureSet(*(tensor.to(device) for tensor in data)),
            args.epochs,
            range(args.seeds),
            args.lr,
            args.weight_decay or DECAYS,
            args.search_epochs,
            copies=1 + args.flip,
            optimizer=args.optimizer,
            batch_size=args.batch_size,
        )
        table.add_row(
            pool,
            str(width),
            f'{result.mean:.2f} ± {result.std:.2f}',
            f'{result.held_out:.2f}',
            f'{result.rate:g}',
            f'{result.decay:g}',
        )
        figures[pool] = result._asdict()
        command = training_command(
            args.config,
            args.checkpoint,
            pool,
            width,
            result,
            args.epochs,
            args.optimizer,
            args.batch_size,
            args.block,
            args.cfg_options,
        )
        commands.append(command)
    Console().print(table)
    write_figures(args.out, figures)
    if args.commands:
        print(*commands, sep='\n')


def main(argv: list[str] | None = None) -> None:
    run(evaluate_linear, parse_args(argv))
