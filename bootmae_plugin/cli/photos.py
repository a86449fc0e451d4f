"""What the subcommands for a user's own photos share: options, labels, the training."""

import argparse
import os
from collections import Counter
from pathlib import Path

import torch

from ..configuration.compose import NAME
from ..datasets.labels import TABLE, Row, write_table
from ..errors import check
from ..preparation.labels import read_labels, split_labels
from . import train


def add_run_options(parser: argparse.ArgumentParser, epochs: str) -> None:
    """Add the options of a training.

    Args:
        parser: The parser of the subcommand.
        epochs: What ``--epochs`` defaults to, as text.
    """
    parser.add_argument(
        '--out', type=Path, required=True, help='folder of the run, which is made'
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument(
        '--hours', type=float, help='train for so long: sets the number of epochs'
    )
    length.add_argument('--epochs', type=int, help=f'default: {epochs}')
    parser.add_argument('--batch-size', type=int, help='images per step')
    parser.add_argument(
        '--resume', action='store_true', help='continue the run in --out as it began'
    )
    parser.add_argument(
        '--device', choices=['cpu', 'cuda'], help='default: a GPU, if there is one'
    )


def add_size_option(parser: argparse.ArgumentParser, what: str) -> None:
    """Add the size of the images of a training that goes on from an encoder.

    Args:
        parser: The parser of the subcommand.
        what: What has this size, as text.
    """
    parser.add_argument(
        '--size',
        type=int,
        help=f'side of {what} in pixels; the position embedding and the patches of '
        'the encoder are resampled (default: as in the pretraining)',
    )


def add_label_options(parser: argparse.ArgumentParser) -> None:
    """Add the labeled images and their split."""
    parser.add_argument(
        'labeled',
        type=Path,
        help='folder of class folders (also below train/ and val/), or a CSV file with '
        'the columns path, label and, if you have it, split',
    )
    parser.add_argument(
        '--val-fraction',
        type=float,
        default=0.2,
        help='share of each class that is held out, if there is no split (0.2)',
    )
    parser.add_argument(
        '--labels-per-class', type=int, help='train on so many labels of each class'
    )
    parser.add_argument(
        '--group',
        metavar='COLUMN',
        help='column of the CSV file; images of one value stay together',
    )
    parser.add_argument(
        '--seed', type=int, default=0, help='seed of the split (default: 0)'
    )


def length_options(args: argparse.Namespace) -> dict:
    """Return the overrides for ``--epochs`` or ``--hours``."""
    if args.hours is not None:
        check(args.hours > 0, f'--hours {args.hours}: give a positive number')
        hook = dict(type='mmpretrain.BudgetHook', hours=args.hours)
        return {'default_hooks.budget': hook}
    if args.epochs is None:
        return {}
    check(args.epochs > 0, f'--epochs {args.epochs}: give a whole number from 1')
    return {'train_cfg.max_epochs': args.epochs}


def choose_device(device: str | None) -> None:
    """Make torch use the device that was asked for; before anything is built."""
    if device == 'cuda':
        check(
            torch.cuda.is_available(),
            '--device cuda, but torch finds no GPU: see bootmae doctor',
        )
    if device == 'cpu':
        os.environ['CUDA_VISIBLE_DEVICES'] = ''


def labeled_rows(args: argparse.Namespace) -> list[Row]:
    """Read the labels that the options name, draw the split, and say what there is."""
    rows = read_labels(args.labeled, args.group)
    rows = split_labels(rows, args.val_fraction, args.labels_per_class, args.seed)
    sizes = Counter(row.split for row in rows)
    counts = ', '.join(
        f'{sizes[s]:,} {s}' for s in ('train', 'val', 'test') if sizes[s]
    )
    print(f'{args.labeled}: {len({row.label for row in rows})} classes, {counts}')
    return rows


def save_rows(folder: Path, rows: list[Row]) -> Path:
    """Write the labels and their split into the folder of a run; return the file."""
    folder.mkdir(parents=True, exist_ok=True)
    table = folder / TABLE
    write_table(table, rows)
    return table


def continue_run(args: argparse.Namespace) -> bool:
    """Continue the run in ``--out``, if ``--resume`` says so; return whether it did.

    Raises:
        UserError: if there is none.
    """
    if args.resume:
        config = args.out / NAME
        check(
            config.is_file(),
            f'--resume, but {args.out} has no run to continue: leave --resume out',
        )
        train_config(config, args)
    return args.resume


def train_config(config: Path, args: argparse.Namespace) -> None:
    """Train a config in its folder, as ``bootmae train`` does."""
    options = train.parse_args([str(config), *(['--resume'] if args.resume else [])])
    options.command = args.note
    try:
        train.train(options)
    finally:
        if hasattr(options, 'log_dir'):
            args.log_dir = options.log_dir
