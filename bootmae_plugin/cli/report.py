"""Write one HTML file about one or several runs, to look at or to send.

    %(prog)s work_dirs/a
    %(prog)s work_dirs/a work_dirs/b --out comparison.html

It shows the command, the curves with the starts of the stages, the differences of the
configs, reconstructions over time, nearest neighbors and a map of the features, the
confusion matrix of a classifier, and the IoU of each class of a segmenter. The file
needs no network. Images and features are those of the run's own data set (test images
if it has labels), and are left out where the data set is missing or not held in memory.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from mmengine.registry import init_default_scope
from mmpretrain.registry import DATASETS
from rich.console import Console

from ..deployment.spec import CLASSIFICATION
from ..deployment.trained import TorchModel, load_trained
from ..errors import UserError, check
from ..evaluation import extract_features
from ..visualization import Examples, RunFiles, build_report
from .common import run
from .outcome import make_parser

BATCH = 500  # images


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser('report', __doc__)
    parser.add_argument('runs', nargs='+', help='work dirs')
    parser.add_argument(
        '--out', default='report.html', help='file to write (default: report.html)'
    )
    parser.add_argument(
        '--images',
        type=int,
        default=1000,
        help='images for the map, the neighbors and the confusion matrix; 0: none '
        '(default: 1000)',
    )
    return parser.parse_args(argv)


def collect_examples(run: RunFiles, number: int) -> Examples:
    """Encode images of a run's data set with its newest checkpoint.

    Args:
        run: A pretraining, or a classifier.
        number: Number of images, spread evenly over the data set.

    Raises:
        UserError: if the data set is not held in memory or misses, or there is no
            checkpoint, or it cannot be deployed.
    """
    loader = run.config.get('test_dataloader') or run.config.get('train_dataloader')
    check(
        loader is not None and loader.dataset.type.endswith('InMemoryImages'),
        'its data set is not held in memory',
    )
    check(run.checkpoint is not None, 'it has no checkpoint')
    trained = load_trained(run.checkpoint, 'cpu')
    data = DATASETS.build(loader.dataset)
    places = torch.linspace(0, len(data) - 1, min(number, len(data))).round().long()
    images = data.images[places]
    labels = None if data.labels is None else data.labels[places]
    mean, std = (
        torch.tensor(values).view(3, 1, 1)
        for values in (trained.spec.mean, trained.spec.std)
    )
    predicted, encoder = None, trained.model
    if trained.spec.task == CLASSIFICATION:
        encoder, model = encoder.backbone, TorchModel(trained)
        pixels = images.permute(0, 2, 3, 1).numpy()
        parts = [model(pixels[i : i + BATCH]) for i in range(0, len(pixels), BATCH)]
        predicted = torch.from_numpy(np.concatenate(parts)).argmax(dim=1)
    features = extract_features(encoder, images, lambda x: (x.float() - mean) / std)
    classes = data.metainfo.get('classes') or []
    return Examples(images, features['avg'], labels, predicted, classes)


def report(args: argparse.Namespace) -> None:
    check(args.images >= 0, f'--images {args.images} must not be negative')
    runs = [RunFiles(Path(folder)) for folder in args.runs]
    for folder in args.runs:
        check(Path(folder).is_dir(), f'{folder} is no folder: give work dirs of runs')
    names = [run.name for run in runs]
    check(len(set(names)) == len(names), f'two runs have the same name: {names}')
    init_default_scope('mmpretrain')
    console, examples = Console(), {}
    for each in runs:
        if not args.images or each.kind == 'segmenter':
            continue
        try:
            with console.status(f'{each.name}: features of {args.images} images'):
                examples[each.name] = collect_examples(each, args.images)
        except UserError as error:
            console.print(f'{each.name}: no features: {error}')
    out = Path(args.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(build_report(runs, examples), encoding='utf-8')
    print(f'report: {out} ({out.stat().st_size / 2**20:.1f} MB)')


def main(argv: list[str] | None = None) -> None:
    run(report, parse_args(argv))
