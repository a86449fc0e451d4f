"""Pretrain an encoder on a folder of your own photos; labels are not needed.

    %(prog)s PHOTOS --out runs/a --size 96 --hours 2

The run's folder gets a config that you can read, change and train again.
"""

import argparse
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import init_default_scope

from .. import config_path
from ..configuration.compose import limit_batch, write_config
from ..configuration.photos import new_encoder, pretraining, start_from
from ..errors import check
from ..hints import command
from ..preparation.folder import find_images
from .common import run
from .outcome import given_command, make_parser
from .photos import (
    add_run_options,
    choose_device,
    continue_run,
    length_options,
    train_config,
)

ARCH = 'deit-tiny'


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser('pretrain', __doc__)
    parser.add_argument('photos', type=Path, help='folder of images, any depth')
    parser.add_argument(
        '--size',
        type=int,
        default=96,
        help='side of the images in pixels (default: 96)',
    )
    parser.add_argument('--arch', help=f'architecture (default: {ARCH})')
    parser.add_argument(
        '--from',
        dest='weights',
        metavar='WEIGHTS',
        help='start from the folder of a run, from bootmae_plugin://NAME, or from a '
        'checkpoint of this plugin, timm, MAE or mmpretrain (also timm:PATH); sizes '
        'of image and patch may differ',
    )
    parser.add_argument(
        '--skip-bad', action='store_true', help='leave unreadable images out'
    )
    add_run_options(parser, '200')
    args = parser.parse_args(argv)
    args.note = given_command('pretrain', argv)
    return args


def pretrain(args: argparse.Namespace) -> None:
    choose_device(args.device)
    init_default_scope('mmpretrain')
    if continue_run(args):
        return
    number = len(find_images(args.photos))
    check(
        number > 1,
        f'{args.photos} has 1 image: pretraining needs thousands to learn something',
    )
    if args.weights is None:
        encoder = new_encoder(args.arch or ARCH)
    else:
        encoder = start_from(args.weights, args.arch)
    base, options, where = pretraining(
        args.photos,
        number,
        args.size,
        encoder,
        args.out,
        args.skip_bad,
    )
    batch = limit_batch(Config.fromfile(config_path(base)), number, args.batch_size)
    options |= {'train_dataloader.batch_size': batch, **length_options(args)}
    if args.skip_bad or batch == number:  # what is left may not fill a batch
        options['train_dataloader.drop_last'] = False
    config = write_config(args.out, base, options, args.note)
    name = encoder.get('model.backbone.arch', ARCH)
    name = name if isinstance(name, str) else f'{name["embed_dims"]} channels'
    print(
        f'{number:,} photos of {args.size}x{args.size}, {where}; {name}, config '
        f'{config}'
    )
    train_config(config, args)
    print(f'next: {command("probe")} {args.out} LABELED')


def main(argv: list[str] | None = None) -> None:
    run(pretrain, parse_args(argv))
