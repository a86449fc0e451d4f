"""Data set of images and label maps in folders, checked when it is built."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS
from PIL import Image

from ..errors import UserError, check
from ..hints import command


@DATASETS.register_module()
class SegFolder(BaseSegDataset):
    """Images in ``img_dir/<split>/`` with label maps in ``ann_dir/<split>/``.

    An image and its map have the same name and size. Unlike mmsegmentation's
    ``BaseSegDataset``, this reports a missing map before training instead of in the
    middle of an epoch, and a label outside the classes instead of ignoring it.

    Args:
        data_root: Folder with ``img_dir`` and ``ann_dir``.
        split: Subfolder of both, such as 'train'.
        classes: Names of the labels 0, 1, ...
        palette: Colors of the classes, (R, G, B) in 0..255. Defaults to None: random.
        ignore_index: Label that is neither learned nor evaluated. Defaults to 255.
        **kwargs: Arguments of mmsegmentation's ``BaseSegDataset``, such as
            ``img_suffix``.

    Raises:
        UserError: if a folder is missing or empty, or an image has no map or a map of
            another size. When a sample is loaded: if its map has a label that is
            neither a class nor ``ignore_index``.
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
                f'palette has {len(palette)} colors for {len(classes)} classes: give '
                'one color per class',
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
            f'image folder {folder} does not exist: check data_root, or create it with '
            f'{command("data")}',
        )
        data = super().load_data_list()
        check(
            len(data) > 0,
            f'no image *{self.img_suffix} found in {folder}: check data_root and '
            'img_suffix',
        )
        maps = Path(self.data_prefix['seg_map_path'])
        _check_maps_exist(data, folder, maps, self.seg_map_suffix)
        check_map_sizes(data, maps)
        return data

    def prepare_data(self, idx: int) -> dict:
        """Return one sample from the pipeline after checking its labels."""
        sample = super().prepare_data(idx)
        if sample is None:
            return sample
        labels = sample['data_samples'].gt_sem_seg.data
        number = len(self.metainfo['classes'])
        wrong = labels[(labels >= number) & (labels != self.ignore_index)]
        if wrong.numel():
            raise UserError(
                f'label map {sample["data_samples"].seg_map_path} has the label '
                f'{int(wrong.max())}, but there are {number} classes: labels must be 0 '
                f'to {number - 1}, or {self.ignore_index} (ignore_index)'
            )
        return sample


def _check_maps_exist(data: list[dict], folder: Path, maps: Path, suffix: str) -> None:
    missing = [d for d in data if not Path(d['seg_map_path']).is_file()]
    if missing:
        first = Path(missing[0]['img_path']).name
        raise UserError(
            f'{len(missing)} of {len(data)} images in {folder} have no label map '
            f'*{suffix} in {maps} (first: {first}): add the maps or remove the images'
        )


def check_map_sizes(data: list[dict], maps: Path) -> None:
    """Raise :class:`UserError` if a label map has not the size of its image."""
    with ThreadPoolExecutor() as pool:  # reads only the headers
        sizes = list(pool.map(_sizes, data))
    wrong = [(d, s) for d, s in zip(data, sizes, strict=True) if s[0] != s[1]]
    if wrong:
        sample, (image, label) = wrong[0]
        raise UserError(
            f'{len(wrong)} of {len(data)} label maps in {maps} differ in size from '
            f'their image (first: {Path(sample["seg_map_path"]).name} is '
            f'{label[0]}x{label[1]}, the image {image[0]}x{image[1]}): resize them'
        )


def _sizes(sample: dict) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return (width, height) of the image and of its map."""
    sizes = []
    for key in ('img_path', 'seg_map_path'):
        try:
            with Image.open(sample[key]) as image:
                sizes.append(image.size)
        except OSError as error:
            raise UserError(
                f'{sample[key]} cannot be read: {error}; replace or remove it'
            ) from error
    return tuple(sizes)
