"""Prepare a data set: find or download it, verify it, put it in its place.

  %(prog)s cifar10
  %(prog)s cifar10 --from cifar10-images.tar.xz
  %(prog)s fashion-mnist
  %(prog)s folder --from PHOTOS --val-fraction 0.1
  %(prog)s shards --from PHOTOS --out /mnt/shared/shards
  %(prog)s camvid --from camvid.tar
  %(prog)s digits
  %(prog)s digit-scenes
  %(prog)s digit-objects
  %(prog)s fashion-mnist-12k
  %(prog)s fashion-scenes

You can run it again at any time: it keeps finished work and continues interrupted work.
It never overwrites or deletes your files.
"""

import argparse
import shlex
import sys
import time
from pathlib import Path

from ..errors import UserError, check
from ..hints import command
from ..preparation import bundled
from ..preparation import prepare as datasets
from ..preparation.folder import prepare_folder
from ..preparation.shards import SHARDS, prepare_shards
from .common import run
from .outcome import add_debug

# Data sets that need neither a download nor a source -> what prepares them.
BUNDLED = {
    'digits': bundled.prepare_digits,
    'fashion-mnist-12k': bundled.prepare_fashion_mnist_12k,
    'digit-scenes': bundled.prepare_digit_scenes,
    'digit-objects': bundled.prepare_digit_objects,
    'fashion-scenes': bundled.prepare_fashion_scenes,
}
CONFIGS = {
    'digit-scenes': 'deit-tiny_digit-scenes',
    'digit-objects': 'mask-rcnn_deit-tiny_digit-objects',
    'fashion-mnist-12k': 'bootmae-views_deit-micro-p7_fashion-mnist-12k',
    'fashion-scenes': 'segmentation/deit-micro-p7_fashion-scenes',
}
WITHOUT_FILES = ('digits', 'fashion-mnist-12k')
NAMES = ('cifar10', 'fashion-mnist', 'folder', 'shards', 'camvid', *BUNDLED)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=command('data'),
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = parser.add_subparsers(dest='name', required=True, metavar='DATASET')

    def add(name: str, source: str | None, out: str, workers: bool = False):
        added = names.add_parser(name, help=out, description=out)
        if source:
            added.add_argument(
                '--from', dest='source', type=Path, metavar='PATH', help=source
            )
        default = None if name in WITHOUT_FILES else Path('data') / name
        text = 'nothing is written' if default is None else f'{default}'
        added.add_argument(
            '--out', type=Path, default=default, help=f'result; default: {text}'
        )
        if workers:
            added.add_argument(
                '--workers', type=positive, help='threads; default: one per CPU'
            )
        add_debug(added)
        return added

    either = 'archive or folder, official or images; default: download'
    add('cifar10', either, 'CIFAR-10, official or as images', workers=True)
    idx = "folder of the four .gz files; default: Debian's package, else download"
    add('fashion-mnist', idx, 'Fashion-MNIST')
    folder = add('folder', 'your images', 'verify and list your images', workers=True)
    text = 'tar shards of your images, for data beyond one disk'
    shards = add('shards', 'your images', text, workers=True)
    add('camvid', 'archive or folder', 'CamVid, images and labels', workers=True)
    add('digits', None, "scikit-learn's digits, as PNG files with --out")
    add('digit-scenes', None, 'scenes of these digits with labels for segmentation')
    add('digit-objects', None, 'these scenes with COCO annotations for detection')
    part = 'the bundled part of Fashion-MNIST, 12,000 images, as PNG files with --out'
    add('fashion-mnist-12k', None, part)
    add('fashion-scenes', None, 'cluttered scenes of its garments for segmentation')

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
    folder.add_argument(
        '--seed', type=int, default=0, help='seed of that choice; default: 0'
    )
    shards.add_argument(
        '--shard-mb',
        type=positive,
        default=256,
        metavar='MB',
        help='size of a shard in megabytes; default: 256',
    )
    shards.add_argument(
        '--seed', type=int, default=0, help='seed of the order; default: 0'
    )
    for parser_of_photos in (folder, shards):
        parser_of_photos.add_argument(
            '--skip-bad', action='store_true', help='leave unreadable images out'
        )
    words = sys.argv[1:] if argv is None else argv
    check_name(words)
    return parser.parse_args(words)


def check_name(words: list[str]) -> None:
    """Exit with one line if the first word is a path or unknown."""
    if not words or words[0].startswith('-') or words[0] in NAMES:
        return
    if Path(words[0]).exists():
        sys.exit(
            f'error: {words[0]} is a path, expected the name of a data set: for your '
            f'own images, {command("data")} folder --from {shlex.quote(words[0])}'
        )
    sys.exit(
        f'error: there is no data set {words[0]}: give one of {", ".join(NAMES)}; '
        'folder and shards are for your own images'
    )


def positive(text: str) -> int:
    """Convert an argument that is a whole number from 1."""
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f'{text!r}: give a whole number from 1')
    return int(text)


def prepare(args: argparse.Namespace) -> tuple[dict, bool]:
    """Prepare the data set; return its manifest, and whether it is new."""
    if args.name == 'cifar10':
        return datasets.prepare_cifar10(args.out, args.source, args.workers)
    if args.name == 'fashion-mnist':
        return datasets.prepare_fashion_mnist(args.out, args.source)
    if args.name in BUNDLED:
        return BUNDLED[args.name](args.out)
    check(
        args.source, f'{args.name} is not downloaded: give your copy with --from PATH'
    )
    if args.name == 'camvid':
        return datasets.prepare_camvid(args.out, args.source, args.workers)
    if args.name == 'shards':
        return prepare_shards(
            args.out,
            args.source,
            shard_mb=args.shard_mb,
            seed=args.seed,
            skip_bad=args.skip_bad,
            workers=args.workers,
        )
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
    """Return the command that trains on what was prepared."""
    options = {}
    if args.name == 'folder':
        source = 'train_dataloader.dataset.source'
        options['data_root'] = args.source
        options[f'{source}.ann_file'] = args.out / 'train.txt'
        if args.labels:
            options[f'{source}.with_label'] = True
    elif args.name == 'shards':
        options['data_root'] = args.out / SHARDS
    elif args.name not in WITHOUT_FILES and args.out != Path('data') / args.name:
        options['data_root'] = args.out
    words = [f'{key}={value}' for key, value in options.items()]
    words = ['--cfg-options', *words] if words else []
    config = CONFIGS.get(args.name, f'bootmae_deit-tiny_{args.name}')
    return ' '.join([command('train'), config, *map(shlex.quote, words)])


def prepare_data(args: argparse.Namespace) -> None:
    start = time.monotonic()
    try:
        manifest, fresh = prepare(args)
    except OSError as error:  # no space, no permission, a lost disk
        raise UserError(f'{error}: correct this and run again') from error
    except KeyboardInterrupt as error:
        raise UserError('interrupted: run again to continue') from error
    counts = ', '.join(f'{n:,} {name}' for name, n in manifest['counts'].items())
    if args.out is None:
        source = manifest['source']
        print(f'{args.name}: {counts}, read from {source}, nothing to prepare')
    else:
        seconds = time.monotonic() - start
        done = f'done in {seconds:.0f} s' if fresh else 'already prepared'
        print(f'{args.name}: {counts} in {args.out}, {done}')
        print(f'from: {manifest["source"]}')
        if manifest['counts'].get('unreadable'):
            print(f'left out: see {args.out / "unreadable.txt"}', file=sys.stderr)
    print(f'next: {next_command(args)}')


def main(argv: list[str] | None = None) -> None:
    run(prepare_data, parse_args(argv))
