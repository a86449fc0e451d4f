"""Data set of images and label maps that a table lists."""

from collections.abc import Sequence
from pathlib import Path

from mmseg.registry import DATASETS

from ..datasets.labels import read_table
from ..errors import check
from .data import SegFolder, check_map_sizes


@DATASETS.register_module()
class SegTable(SegFolder):
    """Images and label maps of one split of a table.

    The columns of the table are ``path``, ``label`` (the file of the label map) and
    ``split``; see :func:`~bootmae_plugin.datasets.labels.read_table`.

    Args:
        table: The table.
        split: 'train', 'val' or 'test'.
        classes: Names of the classes.
        values: The value of each class in the maps. Defaults to None: 0, 1, ...
        **kwargs: See :class:`SegFolder`.

    Raises:
        UserError: if the table cannot be read, has no image of the split, or an image
            has no map or one of another size.
    """

    def __init__(
        self,
        table: str,
        split: str,
        classes: Sequence[str],
        values: Sequence[int] | None = None,
        **kwargs,
    ) -> None:
        check(
            values is None or len(values) == len(classes),
            f'{len(values or ())} values for {len(classes)} classes: give one for each',
        )
        self.table, self.split = Path(table), split
        numbers = {value: number for number, value in enumerate(values or ())}
        same = all(value == number for value, number in numbers.items())
        self.numbers = None if same else numbers
        super().__init__(str(self.table.parent), split, classes, **kwargs)

    def load_data_list(self) -> list[dict]:
        rows = [row for row in read_table(self.table) if row.split == self.split]
        check(bool(rows), f'{self.table} has no image of the split {self.split!r}')
        data = [
            dict(
                img_path=row.path,
                seg_map_path=str(self.table.parent / row.label),
                label_map=self.numbers,
                reduce_zero_label=self.reduce_zero_label,
                seg_fields=[],
            )
            for row in rows
        ]
        check_map_sizes(data, self.table)
        return data
