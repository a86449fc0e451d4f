"""Evaluate a pretrained encoder by k nearest neighbors.

The features are those of a linear probe, and are cached likewise. Their effective rank
says how many directions they use (RankMe).
"""

import argparse
import time
from math import isnan

from ..errors import check
from ..evaluation import knn_accuracy
from .common import run
from .features import (
    add_arguments,
    load_feature_sets,
    make_result,
    with_drawn_labels,
    write_figures,
)
from .outcome import given_command, make_parser


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser('knn', __doc__)
    add_arguments(parser)
    parser.add_argument(
        '-k', type=int, nargs='+', default=[20], help='numbers of neighbors (20)'
    )
    parser.add_argument(
        '--temperature',
        type=float,
        default=0.07,
        help='a neighbor of similarity s has weight exp(s / temperature) (0.07)',
    )
    parser.add_argument(
        '--center',
        action='store_true',
        help='subtract the mean of the training features before the cosine',
    )
    parser.add_argument(
        '--seeds',
        type=int,
        default=3,
        help='number of draws with --labels-per-class (default: 3)',
    )
    args = parser.parse_args(argv)
    args.command = given_command('knn', argv)
    return args


def evaluate_knn(args: argparse.Namespace) -> None:
    check(args.temperature > 0, f'--temperature {args.temperature} must be positive')
    check(
        'attentive' not in args.pool,
        '--pool attentive is learned with labels: only linear-probe has it',
    )
    if args.labels_per_class is None:
        args.seeds = 1  # nothing is drawn
    figures, results = {}, []
    for features in load_feature_sets(args):
        figures[features.name], said = {}, []
        for k in args.k:
            start = time.perf_counter()
            scores = []
            for _, data in with_drawn_labels(args, features.data):
                scores.append(knn_accuracy(data, k, args.temperature, args.center))
            protocol = f'{k}-NN' + ', centered' * args.center
            result = make_result(
                args,
                features,
                protocol,
                labels=len(data.train) // (1 + args.flip),
                scores=tuple(scores),
                seeds=tuple(range(args.seeds)),
                seconds=time.perf_counter() - start,
            )
            results.append(result)
            figures[features.name][k] = result.mean
            spread = f' ± {result.std:.2f}' if args.seeds > 1 else ''
            said.append(f'{protocol} top-1 {result.mean:.2f}{spread} %')
        if not isnan(features.rank):  # too wide for a look at it
            said.append(f'effective rank {features.rank:.1f}')
        print(features.name, *said, sep='  ')
    write_figures(args, figures, results)


def main(argv: list[str] | None = None) -> None:
    run(evaluate_knn, parse_args(argv))
