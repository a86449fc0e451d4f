"""Write a trained model with its head into one file.

    %(prog)s runs/b model.onnx           # onnxruntime; bootmae predict model.onnx
    %(prog)s runs/b model.pt2            # torch.export
    %(prog)s runs/b model.safetensors    # timm

The file has the names of the classes, the input size and the normalization. A
pretraining is written as an encoder: its output is the mean of the patch tokens. The
file is read again and compared with torch.
"""

import argparse
from pathlib import Path

from ..configuration.runs import find_checkpoint
from ..deployment.export import check_target, export_model
from ..deployment.trained import load_trained
from .common import run
from .outcome import make_parser


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser('export', __doc__)
    parser.add_argument('run', help='folder of a run, or a checkpoint')
    parser.add_argument(
        'output', type=Path, help='file to write (.onnx, .pt2, .safetensors)'
    )
    parser.add_argument('--force', action='store_true', help='replace an existing file')
    return parser.parse_args(argv)


def export(args: argparse.Namespace) -> None:
    check_target(args.output, args.force)
    checkpoint = find_checkpoint(args.run)
    trained = load_trained(checkpoint, 'cpu')
    difference = export_model(trained, args.output, args.force)
    spec = trained.spec
    height, width = spec.input_size
    classes = f' of {len(spec.classes)} classes' if spec.classes else ''
    size = args.output.stat().st_size / 1e6
    print(
        f'{args.output}: {spec.task}{classes}, input {height}x{width}, {size:.1f} MB, '
        f'from {checkpoint}; differs from torch by {difference:.0e}'
    )


def main(argv: list[str] | None = None) -> None:
    run(export, parse_args(argv))
