"""Labels from folders of classes or a table, and the split into train and val."""

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from ..datasets.labels import TABLE, Row, read_table
from ..errors import check
from .folder import find_images

SPLITS = {'train': 'train', 'val': 'val', 'valid': 'val', 'test': 'test'}


def read_labels(source: Path, group: str | None = None) -> list[Row]:
    """Read labels from whatever the user has.

    Args:
        source: A table (see :func:`~bootmae_plugin.datasets.labels.read_table`), a
            folder with the table ``labels.csv``, a folder of class folders, or a folder
            with such folders in ``train/`` and ``val/`` or ``test/``.
        group: Column of the table whose values stay together in a split.

    Returns:
        One row for each image, with an absolute path.

    Raises:
        UserError: if there are no images or labels, an image is in no class folder, or
            there are fewer than two classes.
    """
    if source.is_file():
        rows = read_table(source, group)
    elif (source / TABLE).is_file():
        rows = read_table(source / TABLE, group)
    else:
        check(
            group is None,
            f'--group {group} names a column of a table, but {source} is a folder: '
            'give a CSV file with the columns path, label and that one',
        )
        rows = _read_folders(source)
    classes = Counter(row.label for row in rows)
    check(
        len(classes) > 1,
        f'{source} has one class, {next(iter(classes))!r}: a classifier needs two or '
        'more; give each class its own folder or label',
    )
    return rows


def _read_folders(source: Path) -> list[Row]:
    names = find_images(source)
    first = {name.split('/')[0] for name in names if '/' in name}
    has_splits = 'train' in first and first <= SPLITS.keys()
    rows, root = [], source.absolute()
    for name in names:
        *folders, _ = name.split('/')
        split = SPLITS[folders.pop(0)] if has_splits and folders else ''
        check(
            bool(folders),
            f'{source / name} is in no class folder: move it to '
            f'{source}/CLASS/, or give a CSV file with the columns path and label',
        )
        rows.append(Row(f'{root}/{name}', folders[0], split))
    return rows


def split_labels(
    rows: Sequence[Row],
    fraction: float = 0.2,
    per_class: int | None = None,
    seed: int = 0,
) -> list[Row]:
    """Draw a validation set, if there is none; keep some labels of each class.

    Args:
        rows: All labeled images. If one has the split 'val' or 'test', the splits stay
            as they are.
        fraction: Share of each class that becomes 'val', at least one image. Defaults
            to 0.2.
        per_class: Number of labels of each class to train on; the other images are in
            no split. Defaults to None: all.
        seed: Seed of both choices. Defaults to 0.

    Raises:
        UserError: if a class has no image to train on, or too few of them.
    """
    check(0 < fraction < 1, f'--val-fraction {fraction}: give a share between 0 and 1')
    if not any(row.split in ('val', 'test') for row in rows):
        rows = draw_split(rows, fraction, seed)
    numbers = Counter(row.label for row in rows if row.split == 'train')
    for label in sorted({row.label for row in rows}):
        check(
            numbers[label] > 0,
            f'the class {label!r} has no image to train on: add some, or change the '
            'split',
        )
        check(
            per_class is None or 0 < per_class <= numbers[label],
            f'--labels-per-class {per_class}: the class {label!r} has '
            f'{numbers[label]} images to train on; give a number from 1 to that',
        )
    return list(rows) if per_class is None else _keep_labels(rows, per_class, seed)


def draw_split(rows: Sequence[Row], fraction: float, seed: int) -> list[Row]:
    """Draw whole groups into 'val', until each class has its share there.

    Args: See :func:`split_labels`.

    Raises:
        UserError: if a class has one image, or all images are in one group.
    """
    sizes = Counter(row.label for row in rows)
    few = [label for label, size in sizes.items() if size == 1]
    check(
        not few,
        f'the class {"".join(few[:1])!r} has 1 image, but training and validation need '
        'one each: add images, or remove the class',
    )
    wanted = {label: max(1, round(size * fraction)) for label, size in sizes.items()}
    groups = defaultdict(list)
    for number, row in enumerate(rows):
        groups[row.group or number].append(number)
    order = list(groups.values())
    random.Random(seed).shuffle(order)
    chosen: set[int] = set()
    for group in sorted(order, key=len, reverse=True):
        labels = Counter(rows[number].label for number in group)
        # The squared distance to the wanted numbers has to become smaller.
        change = sum(n * (n - 2 * wanted[label]) for label, n in labels.items())
        if change < 0:
            chosen.update(group)
            wanted = {label: n - labels[label] for label, n in wanted.items()}
    check(
        bool(chosen),
        f'the images are in {len(order)} groups, which cannot be divided into training '
        'and validation: give the split in a column, or no --group',
    )
    return [
        row._replace(split='val' if number in chosen else 'train')
        for number, row in enumerate(rows)
    ]


def _keep_labels(rows: Sequence[Row], per_class: int, seed: int) -> list[Row]:
    """Keep ``per_class`` training images of each class, and the other splits."""
    of_class = defaultdict(list)
    for number, row in enumerate(rows):
        if row.split == 'train':
            of_class[row.label].append(number)
    dropped: set[int] = set()
    for label, numbers in of_class.items():
        # The same order for any number, so that ten labels contain the five.
        random.Random(f'{seed} {label}').shuffle(numbers)
        dropped.update(numbers[per_class:])
    return [
        row._replace(split='') if number in dropped else row
        for number, row in enumerate(rows)
    ]
