"""k-NN evaluation of a pretrained encoder, on the features of linear_probe.py."""

import argparse

from .common import run
from .features import add_arguments, feature_sets, write_figures


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    parser.add_argument('-k', type=int, nargs='+', default=[20], help='default: 20')
    parser.add_argument('--temperature', type=float, default=0.07)
    return parser.parse_args(argv)


def evaluate_knn(args: argparse.Namespace) -> None:
    from mmengine.registry import init_default_scope

    from bootmae_plugin.errors import check
    from bootmae_plugin.evaluation import knn_accuracy

    check(args.temperature > 0, f'--temperature {args.temperature} must be positive')
    init_default_scope('mmpretrain')
    figures = {}
    for pool, data in feature_sets(args).items():
        figures[pool] = {k: knn_accuracy(data, k, args.temperature) for k in args.k}
        for k, score in figures[pool].items():
            print(f'{pool}  {k}-NN top-1 {score:.2f} %')
    write_figures(args.out, figures)


def main(argv: list[str] | None = None) -> None:
    run(evaluate_knn, parse_args(argv))
