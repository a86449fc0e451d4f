"""What the subcommands knn and linear_probe share: options, features, figures."""

import argparse
from collections.abc import Iterator
from typing import NamedTuple

import mmengine
from mmengine.registry import init_default_scope

from ..configuration.configs import load_config
from ..errors import check
from ..evaluation import (
    FeatureSet,
    Result,
    append_results,
    draw_labels,
    effective_rank,
    feature_sets,
)
from ..evaluation.results import check_csv
from .common import add_config_options


class Features(NamedTuple):
    """Features to evaluate, as one row of the tables.

    Attributes:
        checkpoint: Of the encoder; 'random', or '' for pixels.
        pool: Pooling of the tokens, with the block if it is not the last.
        name: Name of the row.
        data: The features.
        rank: Effective rank of the training features.
    """

    checkpoint: str
    pool: str
    name: str
    data: FeatureSet
    rank: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of :func:`load_feature_sets` and :func:`write_figures`."""
    parser.add_argument('config', help='a config below configs/benchmarks/')
    parser.add_argument(
        'checkpoint',
        help="checkpoint of the pretraining, or of its encoder; 'random' for an "
        'untrained encoder',
    )
    parser.add_argument(
        '--pool',
        nargs='+',
        default=['avg'],
        help='poolings of the tokens: avg, grid2x2 (means of the quarters), last4 '
        '(means of the last four blocks), cls, cls+dist, flatten64, flatten66, ..., '
        'attentive (learned by the probe), pixels (without the encoder); default: avg',
    )
    parser.add_argument(
        '--controls',
        action='store_true',
        help='also evaluate raw pixels and an untrained encoder',
    )
    parser.add_argument(
        '--block',
        type=int,
        default=-1,
        help='block whose output is evaluated, from 0 (default: -1, the last)',
    )
    parser.add_argument(
        '--split',
        choices=['test', 'val'],
        default='test',
        help='images to evaluate on: the test set (default), or a tenth of the '
        'training images, on which nothing is then trained',
    )
    parser.add_argument(
        '--labels-per-class',
        type=int,
        metavar='N',
        help='use N training images per class, drawn anew for each seed (default: all)',
    )
    parser.add_argument(
        '--cache',
        default='work_dirs/features',
        help='folder that keeps the features (default: work_dirs/features)',
    )
    parser.add_argument(
        '--flip', action='store_true', help='add mirrored training images'
    )
    parser.add_argument('--out', help='also write the figures into this .json file')
    parser.add_argument('--csv', help='append the results to this .csv file')
    add_config_options(parser)


def load_feature_sets(args: argparse.Namespace) -> Iterator[Features]:
    """Yield the features that the options ask for, one pooling after the other."""
    check(args.seeds > 0, f'--seeds {args.seeds} must be positive')
    if args.csv is not None:
        check_csv(args.csv)
    init_default_scope('mmpretrain')
    cfg = load_config(args.config, args.cfg_options)
    pools = {args.checkpoint: list(dict.fromkeys(args.pool))}
    if args.controls:
        pools.setdefault('random', [p for p in args.pool if p != 'pixels'])
        pools['random'] = list(dict.fromkeys([*pools['random'], 'pixels']))
    for checkpoint, names in pools.items():
        sets = feature_sets(
            cfg, checkpoint, names, args.block, args.cache, args.flip, args.split
        )
        for pool, data in sets.items():
            # Tokens have no rank as one vector per image.
            rank = effective_rank(data.train) if data.train.ndim == 2 else float('nan')
            if pool == 'pixels':
                yield Features('', pool, pool, data, rank)
                continue
            where = '' if args.block == -1 else f', block {args.block}'
            control = '' if checkpoint == args.checkpoint else ', random init'
            yield Features(checkpoint, pool + where, pool + where + control, data, rank)


def with_drawn_labels(
    args: argparse.Namespace, data: FeatureSet
) -> Iterator[tuple[list[int], FeatureSet]]:
    """Yield the seeds to evaluate together, and their training images.

    All seeds have all training images; or each has its own draw of them.
    """
    seeds = list(range(args.seeds))
    if args.labels_per_class is None:
        yield seeds, data
        return
    for seed in seeds:
        yield [seed], draw_labels(data, args.labels_per_class, seed, 1 + args.flip)


def make_result(
    args: argparse.Namespace, features: Features, protocol: str, **figures
) -> Result:
    """Return the result of a protocol; ``figures``: scores, seeds, labels, seconds."""
    return Result(
        config=args.config,
        checkpoint=features.checkpoint,
        protocol=protocol,
        pool=features.pool,
        split=args.split,
        command=args.command,
        effective_rank=features.rank,
        **figures,
    )


def write_figures(
    args: argparse.Namespace, figures: dict, results: list[Result]
) -> None:
    """Write what ``--out`` and ``--csv`` ask for.

    Args:
        args: The options.
        figures: By the name of the row, for the JSON file.
        results: Rows of the CSV file.
    """
    if args.out is not None:
        mmengine.dump(figures, args.out, file_format='json', indent=2)
        print(f'figures: {args.out}')
    if args.csv is not None:
        append_results(args.csv, results)
        print(f'results: {args.csv}')
