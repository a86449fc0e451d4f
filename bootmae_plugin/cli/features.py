"""What the subcommands knn and linear_probe share: options, features, figures."""

import argparse

import mmengine
from mmengine.registry import init_default_scope

from ..configuration.configs import load_config
from ..evaluation import FeatureSet, feature_sets
from .common import add_config_options


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
        help='poolings of the tokens: avg, cls, cls+dist, flatten64, flatten66, ... '
        '(default: avg)',
    )
    parser.add_argument(
        '--block',
        type=int,
        default=-1,
        help='block whose output is evaluated, from 0 (default: -1, the last)',
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
    add_config_options(parser)


def load_feature_sets(args: argparse.Namespace) -> dict[str, FeatureSet]:
    """Return the features that the options ask for, by pooling."""
    init_default_scope('mmpretrain')
    cfg = load_config(args.config, args.cfg_options)
    return feature_sets(
        cfg, args.checkpoint, args.pool, args.block, args.cache, args.flip
    )


def write_figures(path: str | None, figures: dict) -> None:
    """Write the figures, by pooling, into a JSON file, if one was asked for."""
    if path is not None:
        mmengine.dump(figures, path, file_format='json', indent=2)
        print(f'figures: {path}')
