"""Train a classifier on labeled images, from the encoder of a pretraining.

    %(prog)s runs/a LABELED --out runs/b

The labels and their split are written into the run's folder, and the checkpoints have
the names of the classes.
"""

import argparse

from mmengine.config import Config
from mmengine.registry import init_default_scope

from .. import config_path
from ..configuration.compose import limit_batch, write_config
from ..configuration.runs import open_run
from ..configuration.transfer import FINETUNE, classification, finetuning
from ..datasets.labels import TABLE
from ..hints import command
from .common import run
from .outcome import given_command, make_parser
from .photos import (
    add_label_options,
    add_run_options,
    add_size_option,
    choose_device,
    continue_run,
    labeled_rows,
    length_options,
    save_rows,
    train_config,
)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser('finetune', __doc__)
    parser.add_argument('run', help='folder of the pretraining, or a checkpoint in it')
    add_label_options(parser)
    add_size_option(parser, 'the images')
    add_run_options(parser, '100, but at least 1,000 steps')
    args = parser.parse_args(argv)
    args.note = given_command('finetune', argv)
    return args


def finetune(args: argparse.Namespace) -> None:
    choose_device(args.device)
    init_default_scope('mmpretrain')
    if continue_run(args):
        return
    source, rows = open_run(args.run), labeled_rows(args)
    classes = {row.label for row in rows}
    splits = {row.split for row in rows}
    table = args.out / TABLE
    options = classification(source, table, splits, len(classes), args.size)
    number = sum(row.split == 'train' for row in rows)
    base = Config.fromfile(config_path(FINETUNE))
    batch = limit_batch(base, number, args.batch_size)
    options |= {'train_dataloader.batch_size': batch}
    options |= length_options(args) | finetuning(base, number, batch, args.epochs)
    config = write_config(args.out, FINETUNE, options, args.note)
    save_rows(args.out, rows)
    train_config(config, args)
    print(f'next: {command("test")} {config} {open_run(args.out).checkpoint}')


def main(argv: list[str] | None = None) -> None:
    run(finetune, parse_args(argv))
