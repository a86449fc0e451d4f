"""Convert a checkpoint to this plugin, or this plugin's encoder to timm or mmpretrain.

Reads the official BootMAE and MAE, mmpretrain and timm; the format is recognized by the
keys. The input is never changed.
"""

import argparse

from ..checkpoints.export import EXPORTS, convert_checkpoint
from .common import run
from .outcome import make_parser


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser('convert', __doc__)
    parser.add_argument('input', help='checkpoint to read (.pth, .safetensors)')
    parser.add_argument('output', help='file to write (.pth, .safetensors)')
    parser.add_argument(
        '--to',
        choices=['plugin', *EXPORTS],
        default='plugin',
        help='format of the output (default: plugin); timm and mmpretrain get the '
        'encoder alone',
    )
    parser.add_argument(
        '--unpickle',
        action='store_true',
        help='also read an input that holds more than weights; this can run any code '
        'in it: only for a file from a trusted source',
    )
    parser.add_argument(
        '--force', action='store_true', help='replace an existing output'
    )
    return parser.parse_args(argv)


def convert(args: argparse.Namespace) -> None:
    done = convert_checkpoint(
        args.input, args.output, args.to, args.unpickle, args.force
    )
    print(f'{args.input}: {done.title}, {done.read} tensors')
    print(f'{args.output}: {done.written} tensors for {args.to}')
    print(f'dropped: {done.dropped}')


def main(argv: list[str] | None = None) -> None:
    run(convert, parse_args(argv))
