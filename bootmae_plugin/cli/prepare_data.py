"""Make a data set ready: find or fetch it, verify it, put it in its place.

  python tools/prepare_data.py cifar10
  python tools/prepare_data.py cifar10 --from cifar10-images.tar.xz
  python tools/prepare_data.py fashion-mnist
  python tools/prepare_data.py folder --from PHOTOS --val-fraction 0.1
  python tools/prepare_data.py camvid --from camvid.tar
  python tools/prepare_data.py digits
  python tools/prepare_data.py digit-scenes

Run again at any time: finished work is found, broken-off work is taken up. Nothing of
yours is overwritten or deleted.
"""

import argparse
import shlex
import sys
import time
from pathlib import Path

from .common import run

TRAIN = 'python tools/train.py configs/selfsup/bootmae_deit-tiny_{}.py'
SEGMENT = 'python tools/train.py configs/benchmarks/segmentation/deit-tiny_{}.py'
SOURCE = 'train_dataloader.dataset.source'
SPLITS = ('train', 'val', 'test')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = parser.add_subparsers(dest='name', required=True, metavar='DATASET')

    def add(name: str, source: str | None, out: str, workers: bool = False):
        command = names.add_parser(name, help=out, description=out)
        if source:
            command.add_argument(
                '--from', dest='source', type=Path, metavar='PATH', help=source
            )
        default = None if name == 'digits' else Path('data') / name
        text = 'nothing is written' if default is None else f'{default}'
        command.add_argument(
            '--out', type=Path, default=default, help=f'result; default: {text}'
        )
        if workers:
            command.add_argument(
                '--workers', type=positive, help='threads; default: one a CPU'
            )
        command.add_argument(
            '--debug', action='store_true', help='show tracebacks of user errors'
        )
        return command

    either = 'archive or folder, official or images; default: download'
    add('cifar10', either, 'CIFAR-10, official or as images', workers=True)
    idx = "folder of the four .gz files; default: Debian's package, else download"
    add('fashion-mnist', idx, 'Fashion-MNIST')
    folder = add('folder', 'your images', 'verify and list your images', workers=True)
    add('camvid', 'archive or folder', 'CamVid, images and labels', workers=True)
    add('digits', None, "scikit-learn's digits, as PNG files with --out")
    add('digit-scenes', None, 'scenes of these digits with labels for segmentation')

    folder.add_argument(
        '--labels', action='store_true', help='the sub-folders are classes'
    )
    folder.add_argument(
        '--val-fraction',
        type=float,
        default=0.0,
        metavar='F',
        help='share of the images listed in val.txt; default: 0',
    )
    folder.add_argument('--seed', type=int, default=0, help='of that choice')
    folder.add_argument(
        '--skip-bad', action='store_true', help='leave unreadable images out'
    )
    return parser.parse_args(argv)


def positive(text: str) -> int:
    """An argument that is a whole number from 1 on."""
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f'{text!r}: give a whole number from 1 on')
    return int(text)


def prepare(args: argparse.Namespace) -> tuple[dict, bool]:
    from bootmae_plugin.errors import check
    from bootmae_plugin.preparation import prepare as sets
    from bootmae_plugin.preparation.folder import prepare_folder

    if args.name == 'cifar10':
        return sets.prepare_cifar10(args.out, args.source, args.workers)
    if args.name == 'fashion-mnist':
        return sets.prepare_fashion_mnist(args.out, args.source)
    if args.name == 'digits':
        return sets.prepare_digits(args.out)
    if args.name == 'digit-scenes':
        return sets.prepare_digit_scenes(args.out)
    check(
        args.source, f'{args.name} is not downloaded: give your copy with --from PATH'
    )
    if args.name == 'camvid':
        return sets.prepare_camvid(args.out, args.source, args.workers)
    return prepare_folder(
        args.out,
        args.source,
        labels=args.labels,
        val_fraction=args.val_fraction,
        seed=args.seed,
        skip_bad=args.skip_bad,
        workers=args.workers,
    )


def next_command(args: argparse.Namespace) -> str:
    """The one command that uses what was prepared."""
    options, config = {}, args.name
    moved = args.out != Path('data') / args.name
    if args.name == 'digit-scenes':
        words = [f'{s}_dataloader.dataset.data_root={args.out}' for s in SPLITS * moved]
        return _command(SEGMENT.format(config), words)
    if args.name == 'camvid' and moved:  # its street scenes, to pretrain on
        options['data_root'] = args.out / 'img_dir' / 'train'
    elif args.name == 'folder':
        options['data_root'] = args.source
        options['ann_file'] = args.out / 'train.txt'
        if args.labels:
            options['with_label'] = True
    elif args.name != 'digits' and moved:
        options['data_root'] = args.out
    return _command(
        TRAIN.format(config),
        [f'{SOURCE}.{key}={value}' for key, value in options.items()],
    )


def _command(command: str, words: list[str]) -> str:
    words = ['--cfg-options', *words] if words else []
    return ' '.join([command, *map(shlex.quote, words)])


def prepare_data(args: argparse.Namespace) -> None:
    from bootmae_plugin.errors import UserError

    start = time.monotonic()
    try:
        manifest, fresh = prepare(args)
    except OSError as error:  # no space, no permission, a lost disk
        raise UserError(f'{error}: mend this and run again') from error
    except KeyboardInterrupt as error:
        raise UserError('interrupted: run again to go on') from error
    counts = ', '.join(f'{n:,} {name}' for name, n in manifest['counts'].items())
    if args.out is None:
        print(f'digits: {counts}, read from {manifest["source"]}, nothing to prepare')
    else:
        done = (
            f'done in {time.monotonic() - start:.0f} s' if fresh else 'already prepared'
        )
        print(f'{args.name}: {counts} in {args.out}, {done}')
        print(f'from: {manifest["source"]}')
        if manifest['counts'].get('unreadable'):
            print(f'left out: see {args.out / "unreadable.txt"}', file=sys.stderr)
    print(f'next: {next_command(args)}')


def main(argv: list[str] | None = None) -> None:
    run(prepare_data, parse_args(argv))
