"""Scenes with label maps: find the pairs, the classes and the split."""

import os
import statistics
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
from PIL import Image

from ..datasets.labels import Row
from ..errors import UserError, check
from .folder import find_images
from .labels import SPLITS, draw_split

MASK = '_mask'  # ends the name of a label map beside its image
CLASSES = 'classes.txt'
IGNORED = 255


class Scenes(NamedTuple):
    """Scenes and what their label maps hold.

    Attributes:
        rows: ``label`` is the file of the label map.
        classes: Names of the classes 0, 1, ...
        values: The value of each class in the maps.
        size: Median (width, height) of the images.
    """

    rows: list[Row]
    classes: list[str]
    values: list[int]
    size: tuple[int, int]


def read_scenes(folder: Path, fraction: float = 0.2, seed: int = 0) -> Scenes:
    """Read scenes from ``img_dir/`` and ``ann_dir/``, or from pairs of files.

    Both folders may have the sub-folders ``train`` and ``val`` or ``test``. A pair is
    ``NAME.png`` and ``NAME_mask.png``. The names of the classes are the lines of
    ``classes.txt``, if there is one.

    Args:
        folder: The folder.
        fraction: Share of the scenes that is held out, if there is no split. Defaults
            to 0.2.
        seed: Seed of that choice. Defaults to 0.

    Raises:
        UserError: if an image has no label map, or a map no image, a map is no
            grayscale or palette image of its image's size, or has a value that is no
            class.
    """
    rows = _folders(folder) if (folder / 'img_dir').is_dir() else _pairs(folder)
    check(
        len(rows) > 1,
        f'{folder} has 1 scene: training and validation need one each, and many more '
        'to learn something',
    )
    if not any(row.split in ('val', 'test') for row in rows):
        alike = [row._replace(label='scenes') for row in rows]
        drawn = zip(rows, draw_split(alike, fraction, seed), strict=True)
        rows = [row._replace(split=other.split) for row, other in drawn]
    check(
        any(row.split == 'train' for row in rows),
        f'{folder} has no scene to train on: add img_dir/train and ann_dir/train',
    )
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # Pillow releases the lock
        found = list(pool.map(_inspect, rows))
    sizes = [size for size, _ in found]
    size = tuple(round(statistics.median(sides)) for sides in zip(*sizes, strict=True))
    values = sorted(set().union(*(values for _, values in found)))
    return Scenes(rows, *_name_classes(folder, values), size)


def _by_stem(names: Sequence[str], folder: Path) -> dict[str, str]:
    """Return the names by name without suffix; two of one name are refused."""
    found: dict[str, str] = {}
    for name in names:
        stem = PurePosixPath(name).with_suffix('').as_posix()
        check(
            stem not in found,
            f'{folder} has {found.get(stem)} and {name}: an image and its map belong '
            'together by their name, so rename one',
        )
        found[stem] = name
    return found


def _folders(folder: Path) -> list[Row]:
    images, maps = (folder / name for name in ('img_dir', 'ann_dir'))
    pictures, labels = (_by_stem(find_images(top), top) for top in (images, maps))
    _check_pairs(pictures, labels, folder)
    first = {name.split('/')[0] for name in pictures if '/' in name}
    has_splits = 'train' in first and first <= SPLITS.keys()
    return [
        Row(
            str((images / name).absolute()),
            str((maps / labels[stem]).absolute()),
            SPLITS[stem.split('/')[0]] if has_splits and '/' in stem else '',
        )
        for stem, name in pictures.items()
    ]


def _pairs(folder: Path) -> list[Row]:
    found = _by_stem(find_images(folder), folder)
    labels = {
        stem.removesuffix(MASK): name
        for stem, name in found.items()
        if stem.endswith(MASK)
    }
    pictures = {k: name for k, name in found.items() if not k.endswith(MASK)}
    _check_pairs(pictures, labels, folder)
    root = folder.absolute()
    return [Row(f'{root}/{n}', f'{root}/{labels[k]}') for k, n in pictures.items()]


def _check_pairs(pictures: dict, labels: dict, folder: Path) -> None:
    alone = sorted(pictures.keys() - labels.keys())
    check(
        not alone,
        f'{len(alone)} of {len(pictures)} images in {folder} have no label map (first: '
        f'{alone[:1]}): add ann_dir/NAME.png, or NAME{MASK}.png beside the image',
    )
    alone = sorted(labels.keys() - pictures.keys())
    check(
        not alone,
        f'{len(alone)} label maps in {folder} have no image (first: {alone[:1]}): add '
        'the images, or remove the maps',
    )


def _inspect(row: Row) -> tuple[tuple[int, int], set[int]]:
    """Return the size of an image and the values in its map."""
    try:
        with Image.open(row.path) as image:
            size = image.size
        with Image.open(row.label) as image:
            mode, map_size, labels = image.mode, image.size, np.asarray(image)
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(f'{row.path} or its label map: {error}; replace it') from error
    check(
        mode in ('1', 'L', 'P'),
        f'label map {row.label} has the mode {mode}: expected one channel of 8 bits '
        'with the number of the class in each pixel',
    )
    check(
        size == map_size,
        f'label map {row.label} is {map_size[0]}x{map_size[1]}, its image '
        f'{size[0]}x{size[1]}: resize one',
    )
    return size, {int(value) for value in np.unique(labels)}


def _name_classes(folder: Path, values: list[int]) -> tuple[list[str], list[int]]:
    """Return the names of the classes and their values in the maps."""
    file = folder / CLASSES
    if file.is_file():
        names = file.read_text(encoding='utf-8-sig').split('\n')
        names = [name.strip() for name in names if name.strip()]
        wrong = [v for v in values if v >= len(names) and v != IGNORED]
        check(
            not wrong,
            f'{file} names {len(names)} classes, but a label map has the value '
            f'{wrong[:1]}: values are 0 to {len(names) - 1}, or {IGNORED} for none',
        )
        check(len(set(names)) == len(names), f'{file} names a class twice: keep one')
        return names, list(range(len(names)))
    if values == [0, IGNORED]:  # a mask in black and white
        return ['background', 'foreground'], values
    values = [value for value in values if value != IGNORED]
    check(
        len(values) > 1,
        f'the label maps in {folder} have the value {values} alone: a segmentation '
        'needs two classes or more',
    )
    return [f'label {value}' for value in values], values
