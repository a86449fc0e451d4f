"""Evaluate the frozen encoder of a pretraining on labeled images, in minutes.

    %(prog)s runs/a LABELED

Classifies by nearest neighbors, and by a linear layer on the mean of the patch tokens
and on all of them. The features are extracted once and cached in the run's folder.
"""

import argparse
from pathlib import Path

import mmengine
import torch
from mmengine.registry import init_default_scope
from rich.console import Console
from rich.table import Table

from ..configuration.compose import write_config
from ..configuration.configs import load_config
from ..configuration.runs import open_run
from ..configuration.transfer import LINEAR, classification, linear_layer
from ..datasets.labels import TABLE
from ..errors import check
from ..evaluation import FeatureSet, feature_sets, knn_accuracy, linear_probe
from .common import run
from .outcome import given_command, make_parser
from .photos import (
    add_label_options,
    choose_device,
    labeled_rows,
    save_rows,
)

K = 20
FIGURES = 'probe.json'


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser('probe', __doc__)
    parser.add_argument('run', help='folder of the pretraining, or a checkpoint in it')
    add_label_options(parser)
    parser.add_argument(
        '--out', type=Path, help='folder of the result (default: probe in the run)'
    )
    parser.add_argument(
        '--epochs', type=int, default=90, help='epochs of the linear layer (90)'
    )
    parser.add_argument(
        '--device', choices=['cpu', 'cuda'], help='default: a GPU, if there is one'
    )
    args = parser.parse_args(argv)
    args.note = given_command('probe', argv)
    return args


def probe(args: argparse.Namespace) -> None:
    choose_device(args.device)
    init_default_scope('mmpretrain')
    source = open_run(args.run)
    out = args.out or source.folder / 'probe'
    check(
        not (out / FIGURES).exists(),
        f'{out} has the figures of another probe: give another folder with --out',
    )
    rows = labeled_rows(args)
    classes, splits = {row.label for row in rows}, {row.split for row in rows}
    options = classification(source, out / TABLE, splits, len(classes))
    config = write_config(out, LINEAR, options | linear_layer(source), args.note)
    save_rows(out, rows)
    sets = feature_sets(
        load_config(str(config)),
        str(source.checkpoint),
        ['avg', 'flatten'],
        cache=str(source.folder / 'features'),
    )
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    table = Table(title=f'{source.checkpoint}, top-1 (%)')
    for column in ('features', 'width', f'{K}-NN', 'linear'):
        table.add_column(column, justify='right' if table.columns else 'left')
    figures = {}
    for pool, data in sets.items():
        neighbors = knn_accuracy(data, min(K, len(data.train)))
        data = FeatureSet(*(tensor.to(device) for tensor in data))
        linear = linear_probe(data, args.epochs)
        figures[pool] = dict(knn=neighbors, linear=linear._asdict())
        name = {'avg': 'mean of the patches', 'flatten': 'all patches'}[pool]
        width = str(data.train.shape[1])
        score = f'{linear.mean:.1f} ± {linear.std:.1f}'
        table.add_row(name, width, f'{neighbors:.1f}', score)
    Console().print(table)
    mmengine.dump(figures, out / FIGURES, indent=2)
    print(f'figures: {out / FIGURES}')


def main(argv: list[str] | None = None) -> None:
    run(probe, parse_args(argv))
