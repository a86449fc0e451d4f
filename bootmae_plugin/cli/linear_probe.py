"""Evaluate a pretrained encoder by a linear layer, in minutes.

The features are extracted once and cached; then the layer alone is trained. Learning
rate and weight decay are chosen on a tenth of the training images; the test set is
evaluated once per seed. To compare recipes, use --split val, which leaves the test set
unread. --commands prints the command of the same training, which encodes every image in
every epoch.
"""

import argparse
import time
from collections.abc import Sequence
from math import isnan

import torch
from rich.console import Console
from rich.table import Table

from ..errors import check
from ..evaluation import (
    FeatureSet,
    LinearResult,
    attentive_probe,
    linear_probe,
    training_command,
)
from ..evaluation.linear_probe import OPTIMIZERS, SOLVER
from .common import run
from .features import (
    Features,
    add_arguments,
    load_feature_sets,
    make_result,
    with_drawn_labels,
    write_figures,
)
from .outcome import given_command, make_parser


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
        choices=OPTIMIZERS,
        help='sgd (default), lars as in the DeiT-Tiny / CIFAR-10 report, or lbfgs, the '
        'minimum by scikit-learn (default with --labels-per-class); --pool attentive '
        'always uses AdamW',
    )
    parser.add_argument(  # the name before, still accepted
        '--optimiser',
        dest='optimizer',
        choices=OPTIMIZERS,
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
    args = parser.parse_args(argv)
    args.command = given_command('linear-probe', argv)
    if args.optimizer is None:
        # A fixed number of epochs of few images would end far from the minimum.
        args.optimizer = 'sgd' if args.labels_per_class is None else SOLVER
    return args


def probe(
    args: argparse.Namespace, data: FeatureSet, seeds: Sequence[int]
) -> LinearResult:
    """Train and test the probe that the options ask for."""
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    data = FeatureSet(*(tensor.to(device) for tensor in data))
    options = dict(
        epochs=args.epochs,
        seeds=seeds,
        search_epochs=args.search_epochs,
        copies=1 + args.flip,
        batch_size=args.batch_size,
    )
    if is_attentive(data):
        return attentive_probe(data, **options)
    return linear_probe(
        data,
        rates=args.lr,
        decays=args.weight_decay,
        optimizer=args.optimizer,
        **options,
    )


def is_attentive(data: FeatureSet) -> bool:
    """Return whether the features are tokens (N, L, D), which a probe has to pool."""
    return data.train.ndim == 3


def make_command(
    args: argparse.Namespace, features: Features, result: LinearResult
) -> str:
    """Return the command of the same training with the config."""
    possible = (
        features.pool not in ('attentive', 'last4', 'pixels')
        and args.optimizer != SOLVER
        and args.split == 'test'
        and args.labels_per_class is None
    )
    if not possible:
        return f'{features.name}: no config trains this probe'
    return training_command(
        args.config,
        features.checkpoint,
        features.pool,
        features.data.train.shape[1],
        result,
        args.epochs,
        args.optimizer,
        args.batch_size,
        args.block,
        args.cfg_options,
    )


def evaluate_linear(args: argparse.Namespace) -> None:
    for name in ('epochs', 'batch_size', 'search_epochs'):
        value, option = getattr(args, name), name.replace('_', '-')
        check(value is None or value > 0, f'--{option} {value} must be positive')
    if args.optimizer == SOLVER and args.labels_per_class is None:
        args.seeds = 1  # its solution does not depend on the seed
    how = f'{args.seeds} seeds, {args.epochs} epochs of {args.optimizer.upper()}'
    if args.optimizer == SOLVER:
        how = 'solved by L-BFGS'
    table = Table(
        title=f'Linear top-1 (%), {how}',
        caption='fit: on the training images; rank: effective rank of their features',
    )
    columns = (args.split, 'fit', 'held out', 'lr', 'decay', 'rank')
    for column in ('pool', 'width', *columns):
        table.add_column(column, justify='left' if column == 'pool' else 'right')
    commands, figures, results = [], {}, []
    for features in load_feature_sets(args):
        start, parts = time.perf_counter(), []
        for seeds, data in with_drawn_labels(args, features.data):
            parts.append(probe(args, data, seeds))
        result = LinearResult.join(parts)
        table.add_row(
            features.name,
            'x'.join(map(str, features.data.train.shape[1:])),
            f'{result.mean:.2f} ± {result.std:.2f}',
            f'{result.fit:.2f}',
            f'{result.held_out:.2f}',
            f'{result.rate:g}',
            f'{result.decay:g}',
            '' if isnan(features.rank) else f'{features.rank:.1f}',
        )
        figures[features.name] = result._asdict()
        plain = args.optimizer == 'sgd' or is_attentive(features.data)
        results.append(
            make_result(
                args,
                features,
                'linear' if plain else f'linear, {args.optimizer}',
                labels=len(data.train) // (1 + args.flip),
                scores=tuple(result.scores),
                seeds=tuple(range(args.seeds)),
                seconds=time.perf_counter() - start,
            )
        )
        commands.append(make_command(args, features, result))
    Console().print(table)
    write_figures(args, figures, results)
    if args.commands:
        print(*commands, sep='\n')


def main(argv: list[str] | None = None) -> None:
    run(evaluate_linear, parse_args(argv))
