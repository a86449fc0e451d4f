"""Evaluate a pretrained encoder by k nearest neighbors.

The features are those of a linear probe, and are cached likewise.
"""

import argparse

from ..errors import check
from ..evaluation import knn_accuracy
from .common import run
from .features import add_arguments, load_feature_sets, write_figures
from .outcome import make_parser


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
    return parser.parse_args(argv)


def evaluate_knn(args: argparse.Namespace) -> None:
    check(args.temperature > 0, f'--temperature {args.temperature} must be positive')
    figures = {}
    for pool, data in load_feature_sets(args).items():
        figures[pool] = {k: knn_accuracy(data, k, args.temperature) for k in args.k}
        for k, score in figures[pool].items():
            print(f'{pool}  {k}-NN top-1 {score:.2f} %')
    write_figures(args.out, figures)


def main(argv: list[str] | None = None) -> None:
    run(evaluate_knn, parse_args(argv))
