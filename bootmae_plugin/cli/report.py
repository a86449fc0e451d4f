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

import torch
from mmengine.registry import init_default_scope
from mmpretrain.registry import DATASETS, MODELS
from rich.console import Console

from ..checkpoints.load import compare_keys, load_encoder
from ..checkpoints.read import read_checkpoint, state_dict_of
from ..errors import UserError, check
from ..evaluation import extract_features
from ..visualization import Examples, RunFiles, build_report
from .common import run
from .outcome import make_parser


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


@torch.no_grad()
def collect_examples(run: RunFiles, number: int) -> Examples:
    """Encode images of a run's data set with its last checkpoint.

    Args:
        run: A pretraining, or a classifier.
        number: Number of images, spread evenly over the data set.

    Raises:
        UserError: if the data set is not held in memory or misses, or there is no
            checkpoint.
    """
    cfg = run.config
    loader = cfg.get('test_dataloader') or cfg.get('train_dataloader')
    check(
        loader is not None and loader.dataset.type.endswith('InMemoryImages'),
        'its data set is not held in memory',
    )
    check(run.checkpoint is not None, 'it has no checkpoint')
    data = DATASETS.build(loader.dataset)
    places = torch.linspace(0, len(data) - 1, min(number, len(data))).round().long()
    images = data.images[places]
    labels = None if data.labels is None else data.labels[places]
    classes = data.metainfo.get('classes') or []
    settings = {**cfg.data_preprocessor, 'augment': None, 'batch_augments': None}
    preprocess = MODELS.build({**settings, 'views': 1})

    def normalize(batch: torch.Tensor) -> torch.Tensor:
        return preprocess(dict(inputs=batch))['inputs']

    if run.kind == 'pretraining':
        encoder = MODELS.build(dict(cfg.model.backbone, init_cfg=None))
        load_encoder(encoder, str(run.checkpoint))
        predicted = None
    else:
        model = MODELS.build(dict(cfg.model, data_preprocessor=settings))
        model.backbone.init_cfg = None
        weights = state_dict_of(read_checkpoint(run.checkpoint))
        compare_keys(
            model.state_dict(), weights, str(run.checkpoint), 'retrain the model'
        )
        model.load_state_dict(weights)
        model.eval()
        scores = [
            torch.stack([s.pred_score for s in model.predict(normalize(batch))])
            for batch in images.split(500)
        ]
        predicted, encoder = torch.cat(scores).argmax(dim=1), model.backbone
    features = extract_features(encoder, images, normalize)['avg']
    return Examples(images, features, labels, predicted, classes)


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
