"""Train a segmentation on scenes with label maps, from the encoder of a pretraining.

    %(prog)s runs/a SCENES --out runs/c

SCENES has img_dir/ and ann_dir/, with or without train/ and val/ in them, or pairs
NAME.png and NAME_mask.png; and classes.txt with one name a line, if you like.
"""

import argparse
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import init_default_scope

from .. import config_path, segmentation  # noqa: F401 (says what is missing)
from ..configuration import transfer
from ..configuration.compose import limit_batch, write_config
from ..configuration.runs import open_run
from ..datasets.labels import TABLE
from ..errors import check
from ..hints import command
from ..preparation.scenes import read_scenes
from .common import run
from .outcome import given_command, make_parser
from .photos import (
    add_run_options,
    add_size_option,
    choose_device,
    continue_run,
    length_options,
    save_rows,
    train_config,
)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser('segment', __doc__)
    parser.add_argument('run', help='folder of the pretraining, or a checkpoint in it')
    parser.add_argument('scenes', type=Path, help='folder of images and label maps')
    parser.add_argument(
        '--val-fraction',
        type=float,
        default=0.2,
        help='share of the scenes that is held out, if there is no split (0.2)',
    )
    parser.add_argument(
        '--seed', type=int, default=0, help='seed of the split (default: 0)'
    )
    add_size_option(parser, 'the training crops')
    add_run_options(parser, '50')
    args = parser.parse_args(argv)
    args.note = given_command('segment', argv)
    return args


def segment(args: argparse.Namespace) -> None:
    choose_device(args.device)
    init_default_scope('mmpretrain')
    if continue_run(args):
        return
    check(
        0 < args.val_fraction < 1,
        f'--val-fraction {args.val_fraction}: give a share between 0 and 1',
    )
    source = open_run(args.run)
    scenes = read_scenes(args.scenes, args.val_fraction, args.seed)
    number = sum(row.split == 'train' for row in scenes.rows)
    print(
        f'{args.scenes}: {len(scenes.rows):,} scenes, {number:,} train; '
        f'{len(scenes.classes)} classes: {", ".join(scenes.classes[:8])}'
    )
    base = Config.fromfile(config_path(transfer.SEGMENT))
    options = {
        **transfer.segmentation(source, args.out / TABLE, scenes, args.size),
        **length_options(args),
    }
    batch = limit_batch(base, number, args.batch_size)
    options['train_dataloader.batch_size'] = batch
    config = write_config(args.out, transfer.SEGMENT, options, args.note)
    save_rows(args.out, scenes.rows)
    train_config(config, args)
    print(f'next: {command("test")} {config} {open_run(args.out).checkpoint}')


def main(argv: list[str] | None = None) -> None:
    run(segment, parse_args(argv))
