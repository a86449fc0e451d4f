"""Images with label maps in folders, checked (needs mmsegmentation)."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS
from PIL import Image

from ..errors import UserError, check


@DATASETS.register_module()
class SegFolder(BaseSegDataset):
    """``img_dir/<split>/*`` with ``ann_dir/<split>/*`` of the same names and sizes.

    mmsegmentation's ``BaseSegDataset``, which says in one line what is wrong: there, a
    lacking map stops a worker in mid-epoch, and a label outside the classes is left out
    of the figures without a word.

    Args:
        data_root: Folder with ``img_dir`` and ``ann_dir``.
        split: Sub-folder of both, such as 'train'.
        classes: Names of the labels 0, 1, ...
        palette: Their colours, (R, G, B) in 0..255. Defaults to None: chosen at random.
        ignore_index: Label that is neither learnt nor counted. Defaults to 255.
        **kwargs: See mmsegmentation's ``BaseSegDataset`` (``img_suffix``, ...).

    Raises:
        UserError: if a folder is missing or empty, an image has no map or one of
            another size, or (when it is loaded) a map holds a label that is neither a
            class nor ``ignore_index``.
    """

    def __init__(
        self,
        data_root: str,
        split: str,
        classes: Sequence[str],
        palette: Sequence | None = None,
        ignore_index: int = 255,
        **kwargs,
    ) -> None:
        metainfo = dict(classes=list(classes))
        if palette is not None:
            check(
                len(palette) == len(classes),
                f'{len(palette)} colours in palette for {len(classes)} classes: give '
                'one for each',
            )
            metainfo['palette'] = palette
        super().__init__(
            data_root=data_root,
            data_prefix=dict(
                img_path=f'img_dir/{split}', seg_map_path=f'ann_dir/{split}'
            ),
            metainfo=metainfo,
            ignore_index=ignore_index,
            **kwargs,
        )

    def load_data_list(self) -> list[dict]:
        folder = Path(self.data_prefix['img_path'])
        check(
            folder.is_dir(),
            f'image folder {folder} does not exist: check data_root, or make it with '
            'tools/prepare_data.py',
        )
        data = super().load_data_list()
        check(
            len(data) > 0,
            f'no image *{self.img_suffix} was found in {folder}: check data_root and '
            'img_suffix',
        )
        maps = Path(self.data_prefix['seg_map_path'])
        lacking = [d for d in data if not Path(d['seg_map_path']).is_file()]
        if lacking:
            first = Path(lacking[0]['img_path']).name
            raise UserError(
                f'{len(lacking)} of {len(data)} images in {folder} have no label map '
                f'*{self.seg_map_suffix} of their name in {maps} (first: {first}): add '
                'the maps or take the images out'
            )
        with ThreadPoolExecutor() as pool:  # the headers only
            sizes = list(pool.map(_sizes, data))
        wrong = [(d, s) for d, s in zip(data, sizes, strict=True) if s[0] != s[1]]
        if wrong:
            sample, (image, label) = wrong[0]
            raise UserError(
                f'{len(wrong)} of {len(data)} label maps in {maps} have another size '
                f'than their image (first: {Path(sample["seg_map_path"]).name} is '
                f'{label[0]}x{label[1]}, the image {image[0]}x{image[1]}): make them '
                'equal'
            )
        return data

    def prepare_data(self, idx: int) -> dict:
        """One sample from the pipeline, its labels checked."""
        sample = super().prepare_data(idx)
        if sample is None:
            return sample
        labels = sample['data_samples'].gt_sem_seg.data
        number = len(self.metainfo['classes'])
        wrong = labels[(labels >= number) & (labels != self.ignore_index)]
        check(
            wrong.numel() == 0,
            f'label map {sample["data_samples"].seg_map_path} holds the label '
            f'{int(wrong.max()) if wrong.numel() else 0}, but there are {number} '
            f'classes: labels must be 0 to {number - 1}, or {self.ignore_index} '
            '(ignore_index)',
        )
        return sample


def _sizes(sample: dict) -> tuple[tuple[int, int], tuple[int, int]]:
    """(width, height) of the image and of its map."""
    found = []
    for key in ('img_path', 'seg_map_path'):
        try:
            with Image.open(sample[key]) as image:
                found.append(image.size)
        except OSError as error:
            raise UserError(f'{sample[key]} cannot be read: {error}') from error
    return tuple(found)
