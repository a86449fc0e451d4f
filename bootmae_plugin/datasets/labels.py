"""Table of labeled images: a CSV file with the columns path, label and split."""

import csv
import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from mmpretrain.datasets.base_dataset import BaseDataset
from mmpretrain.registry import DATASETS

from ..errors import UserError, check

TABLE = 'labels.csv'  # the name under which a run keeps it
DELIMITERS = ',;\t'


class Row(NamedTuple):
    """One labeled image.

    Attributes:
        path: The file.
        label: Name of the class; in a table of scenes, the file of the label map.
        split: 'train', 'val', 'test'; '' is in none of them.
        group: Images of one group are never in two splits, as those of one patient.
    """

    path: str
    label: str
    split: str = ''
    group: str = ''


def read_table(table: str | Path, group: str | None = None) -> list[Row]:
    """Read a table: CSV in UTF-8 with a header; commas, semicolons or tabs.

    Args:
        table: The file. Its paths are absolute, or relative to its folder.
        group: Name of the column with the groups. Defaults to None: no groups.

    Returns:
        The rows, with absolute paths.

    Raises:
        UserError: if the file is missing or not such a table, lists an image twice, or
            names a file that does not exist.
    """
    table = Path(table)
    check(table.is_file(), f'table of labels {table} does not exist: check the path')
    try:
        text = table.read_text(encoding='utf-8-sig')
    except UnicodeDecodeError as error:
        raise UserError(
            f'{table} is not in UTF-8 ({error.reason} at byte {error.start}): save it '
            'as CSV in UTF-8'
        ) from error
    first = text.partition('\n')[0]
    lines = csv.DictReader(
        text.splitlines(), delimiter=max(DELIMITERS, key=first.count)
    )
    for column in ('path', 'label', *filter(None, [group])):
        check(
            column in (lines.fieldnames or ()),
            f'{table} has no column {column!r}, but {first.strip()[:80]!r}: its first '
            'line must name the columns, as in path,label',
        )
    rows, seen, missing = [], {}, []
    for number, line in enumerate(lines, 2):
        path, label = ((line[key] or '').strip() for key in ('path', 'label'))
        check(
            bool(path) and bool(label),
            f'{table} line {number} has no {"label" if path else "path"}: complete or '
            'remove it',
        )
        file = (table.parent / path).absolute()
        same = os.path.normpath(file)  # b/../a.png is a.png
        check(
            same not in seen,
            f'{table} lists {path} twice, in lines {seen.get(same)} and {number}: keep '
            'one',
        )
        seen[same] = number
        if not file.is_file():
            missing.append(f'line {number}: {path}')
        split = (line.get('split') or '').strip()
        rows.append(Row(str(file), label, split, line[group] if group else ''))
    check(bool(rows), f'{table} has no image: add lines with a path and a label')
    check(
        not missing,
        f'{len(missing)} of {len(rows)} files in {table} do not exist '
        f'({"; ".join(missing[:2])}): paths are relative to {table.absolute().parent}',
    )
    return rows


def write_table(table: Path, rows: Iterable[Row]) -> None:
    """Write a table that :func:`read_table` reads."""
    with open(table, 'w', encoding='utf-8', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(['path', 'label', 'split'])
        writer.writerows(row[:3] for row in rows)


@DATASETS.register_module()
class LabeledImages(BaseDataset):
    """Images of one split of a table; see :func:`read_table`.

    The classes are all labels of the table, sorted, so every split has the same ones.

    Args:
        ann_file: The table.
        split: 'train', 'val' or 'test'.
        **kwargs: See mmpretrain's ``BaseDataset``.

    Raises:
        UserError: if the table cannot be read, or has no image of the split.
    """

    def __init__(self, ann_file: str, split: str, **kwargs) -> None:
        self.split, self.rows = split, read_table(ann_file)
        classes = sorted({row.label for row in self.rows})
        super().__init__(ann_file=ann_file, metainfo=dict(classes=classes), **kwargs)

    def load_data_list(self) -> list[dict]:
        numbers = {name: number for number, name in enumerate(self.metainfo['classes'])}
        data = [
            dict(img_path=row.path, gt_label=numbers[row.label])
            for row in self.rows
            if row.split == self.split
        ]
        check(
            bool(data),
            f'{self.ann_file} has no image of the split {self.split!r}: its splits are '
            f'{sorted({row.split for row in self.rows})}',
        )
        return data
