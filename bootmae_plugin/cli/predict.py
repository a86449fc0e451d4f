"""Predict the classes or the label maps of photos.

    %(prog)s runs/b PHOTOS --out predictions.csv
    %(prog)s model.onnx 'photos/**/*.jpg' --out predictions.csv

A classifier writes a CSV file with the columns path, label and probability, and then
the next classes. A segmentation writes NAME.png with the class number of each pixel
into the folder --out, and overlays. An ONNX file of bootmae export needs no torch.
"""

import argparse
import contextlib
import io
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.progress import track

from .. import register
from ..deployment.label_maps import map_files, save_map
from ..deployment.onnx_model import OnnxModel
from ..deployment.reading import read_batches
from ..deployment.spec import CLASSIFICATION, FEATURES, SEGMENTATION
from ..deployment.tables import SHOWN, row, save_picture, whole_table
from ..errors import UserError, check
from ..hints import command
from ..preparation.folder import find_photos
from .outcome import make_parser, report_errors


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser('predict', __doc__)
    parser.add_argument(
        'model', type=Path, help='folder of a run, a checkpoint, or an ONNX file'
    )
    parser.add_argument('photos', nargs='+', help='images, folders of them, patterns')
    parser.add_argument(
        '--out',
        type=Path,
        required=True,
        help='CSV file to write; for a segmentation, a folder',
    )
    parser.add_argument(
        '--top-k', type=int, default=5, help='classes per photo (default: 5)'
    )
    parser.add_argument(
        '--show',
        action='store_true',
        help=f'also draw the first {SHOWN} photos with their labels into a PNG file '
        'beside the CSV file',
    )
    parser.add_argument(
        '--strict', action='store_true', help='stop at a photo that cannot be predicted'
    )
    parser.add_argument(
        '--batch-size', type=int, default=64, help='photos per step (default: 64)'
    )
    parser.add_argument(
        '--device', choices=['cpu', 'cuda'], help='default: a GPU, if there is one'
    )
    parser.add_argument(
        '--force', action='store_true', help='replace an existing output'
    )
    return parser.parse_args(argv)


def load(path: Path, device: str | None) -> Callable:
    """Return the model, which has the attribute ``spec``; only here torch may start.

    Raises:
        UserError: if it is no model that predicts.
    """
    if path.suffix == '.onnx':
        model = OnnxModel(path, device)
        task = model.spec.task
    else:
        check(
            path.is_dir() or path.suffix in ('.pth', '.pt'),
            f'{path} is no model that this command reads: give the folder of a run, a '
            'checkpoint (.pth) or an ONNX file',
        )
        # The framework prints which of its optional parts are missing.
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter('ignore')
            register()
        from ..configuration.runs import find_checkpoint
        from ..deployment.trained import TorchModel, load_trained

        trained = load_trained(find_checkpoint(path), device)
        task = trained.spec.task
        model = None if task == FEATURES else TorchModel(trained)
    check(
        task != FEATURES,
        f'{path} is an encoder without a head: train a classifier on it first '
        f'({command("finetune")} or {command("train")} with a config of benchmarks/)',
    )
    return model


def predict(args: argparse.Namespace) -> None:
    for name in ('top_k', 'batch_size'):
        value = getattr(args, name)
        option = name.replace('_', '-')
        check(value > 0, f'--{option} {value}: give a whole number from 1')
    photos = find_photos(args.photos)
    model = load(args.model, args.device)
    outputs = {SEGMENTATION: predict_maps, CLASSIFICATION: predict_classes}
    skipped, written = outputs[model.spec.task](model, photos, args)
    for line in skipped:
        print(f'skipped: {line}', file=sys.stderr)
    number = len(photos) - len(skipped)
    print(f'{number:,} of {len(photos):,} photos predicted: {written}')


def batches(photos: list[Path], model: Callable, args: argparse.Namespace):
    """Read the photos under a progress bar, which is shown on a terminal only."""
    console = Console(stderr=True)
    yield from track(
        read_batches(photos, model.spec, args.batch_size),
        'predicting',
        -(-len(photos) // args.batch_size),
        console=console,
        disable=not console.is_terminal,
    )


def skip(lines: list[str], skipped: list[str], strict: bool) -> None:
    """Note photos that cannot be predicted.

    Raises:
        UserError: with ``--strict``, if there are any.
    """
    check(
        not (strict and lines),
        f'{"".join(lines[:1])}: repair or remove it, or leave --strict out',
    )
    skipped += lines


def refuse_existing(files: list[Path], args: argparse.Namespace) -> None:
    """Raise :class:`UserError` if one of the outputs exists, unless ``--force``."""
    existing = [file for file in files if file.exists()]
    check(
        args.force or not existing,
        f'{"".join(map(str, existing[:1]))} exists already: name another --out, or '
        'give --force',
    )


def predict_classes(
    model: Callable, photos: list[Path], args: argparse.Namespace
) -> tuple[list[str], Path]:
    """Write the table; return a line for each skipped photo, and what was written."""
    out, picture = args.out, args.out.with_suffix('.png')
    check(not out.is_dir(), f'--out {out} is a folder: name a CSV file')
    refuse_existing([out, *([picture] if args.show else [])], args)
    skipped: list[str] = []
    shown: list[tuple] = []
    with whole_table(out, args.top_k, model.spec) as writer:
        for batch in batches(photos, model, args):
            skip(batch.unreadable, skipped, args.strict)
            if not batch.paths:
                continue
            scores = model(batch.images)
            for path, image, one in zip(*batch[:2], scores, strict=True):
                line = row(path, one, model.spec, args.top_k)
                writer.writerow(line)
                if args.show and len(shown) < SHOWN:
                    shown.append((image, line))
        check_any(photos, skipped)
    if shown:
        save_picture(*map(list, zip(*shown, strict=True)), picture)
        print(f'picture: {picture}')
    return skipped, out


def predict_maps(
    model: Callable, photos: list[Path], args: argparse.Namespace
) -> tuple[list[str], Path]:
    """Write label maps and overlays; returns as :func:`predict_classes`."""
    check(
        not args.out.is_file() and args.out.suffix != '.csv',
        f'--out {args.out}: a segmentation writes a picture for each photo, so name a '
        'folder',
    )
    files = map_files(photos, args.out)
    refuse_existing(list(files.values()), args)
    skipped: list[str] = []
    for batch in batches(photos, model, args):
        skip(batch.unreadable, skipped, args.strict)
        for path, image in zip(*batch[:2], strict=True):
            try:
                (labels,) = model([image])
            except UserError as error:  # a size that the model does not take
                skip([f'{path} ({error})'], skipped, args.strict)
            else:
                save_map(image, labels, model.spec, files[path])
    check_any(photos, skipped)
    return skipped, args.out


def check_any(photos: list[Path], skipped: list[str]) -> None:
    """Raise :class:`UserError` if no photo could be predicted."""
    check(
        len(skipped) < len(photos),
        f'none of the {len(photos):,} photos can be predicted; the first: '
        f'{"".join(skipped[:1])}',
    )


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    with report_errors(args):
        predict(args)
