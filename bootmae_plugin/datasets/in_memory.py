"""Images in memory as one uint8 tensor, loaded a batch at a time."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine import dist
from mmengine.logging import print_log
from mmengine.registry import FUNCTIONS
from mmengine.utils import to_2tuple
from mmpretrain.registry import DATASETS, TRANSFORMS
from PIL import Image
from rich.console import Console
from rich.progress import track
from torch import Tensor
from torch.utils.data import Dataset

from ..errors import UserError, check
from ..hints import command
from ..images import read_image, resize_and_crop
from .pixel_cache import PixelCache

MAX_BYTES = 64 * 2**30


def _map_in_threads(function: Callable, items: Sequence) -> Iterator:
    """``map`` in threads and in order, with a progress bar if there is much to do."""
    console = Console(stderr=True, quiet=not dist.is_main_process())
    hidden = len(items) < 2000 or not console.is_terminal
    with ThreadPoolExecutor() as pool:  # Pillow releases the interpreter lock
        yield from track(
            pool.map(function, items),
            'reading images',
            len(items),
            console=console,
            transient=True,
            disable=hidden,
        )


@DATASETS.register_module()
class InMemoryImages(Dataset):
    """Data set of images that are read once and kept in memory.

    The data loader requests a whole batch (``__getitems__``) and gets it as one indexed
    tensor, without Python code per sample. :class:`BatchDataPreprocessor` augments and
    normalizes it. The data loader needs ``collate_fn=dict(type='whole_batch')``.

    Args:
        source: Config of a data set whose samples have ``img`` (H, W[, C] in RGB) or
            ``img_path``, and ``gt_label`` if there are labels: CIFAR10Copy,
            ImageFolder, Digits, or any of mmpretrain's.
        img_size: Side in pixels, or (height, width). Images of another size are resized
            (bicubic) until they cover it, then cropped at the center. Defaults to 32.
        with_label: Load the labels. Defaults to True.
        on_error: 'raise' or 'skip' if an image cannot be read; the log names skipped
            images. Defaults to 'raise'.
        cache: Folder of a :class:`PixelCache` for images that are files. They are
            decoded once and then mapped from the disk, shared by all processes and
            later runs. Defaults to None: decoded at every start, into memory.
        pipeline: Transforms that make the same of an image as this data set. The data
            set does not apply them; mmpretrain's inferencers read them from the config.
            Defaults to None.

    Raises:
        UserError: if an image cannot be read, labels are missing or outside the
            classes, or the images would take more than 64 GiB.
    """

    def __init__(
        self,
        source: dict,
        img_size: int | tuple[int, int] = 32,
        with_label: bool = True,
        on_error: str = 'raise',
        cache: str | None = None,
        pipeline: list[dict] | None = None,
    ) -> None:
        check(
            on_error in ('raise', 'skip'),
            f"unknown on_error={on_error!r}: choose 'raise' or 'skip'",
        )
        source = DATASETS.build(source)
        infos = [source.get_data_info(i) for i in range(len(source))]
        self.metainfo = source.metainfo
        img_size = tuple(to_2tuple(img_size))
        sizes = {tuple(to_2tuple(t['size'])) for t in pipeline or () if 'size' in t}
        if sizes - {img_size}:
            print_log(
                f'the data set has img_size={img_size}, but its pipeline {sizes}: '
                "mmpretrain's inferencers would resize to the latter",
                'current',
                level=30,
            )
        if cache is not None and all('img' not in info for info in infos):
            pixels, good, bad = self._map(infos, img_size, cache)
        else:
            pixels, good, bad = self._read(infos, img_size)
        if bad:
            first = '; '.join(bad[:3])
            text = f'{len(bad)} of {len(infos)} images cannot be read: {first}'
            advice = (
                "repair or remove them, or leave them out with on_error='skip' of the "
                f'data set ({command("pretrain")}: --skip-bad)'
            )
            check(on_error == 'skip' and len(good) > 0, f'{text}: {advice}')
            print_log(f'skipped: {text}', 'current', level=30)
        self.images = torch.from_numpy(pixels)
        self.labels = self._labels([infos[i] for i in good]) if with_label else None

    def _read(
        self, infos: list[dict], size: tuple[int, int]
    ) -> tuple[np.ndarray, list[int], list[str]]:
        """Decode all images into memory; returns as :meth:`PixelCache.load`."""
        number = 3 * size[0] * size[1] * len(infos)
        check(
            number <= MAX_BYTES,
            f'{len(infos):,} images of {size[0]}x{size[1]} take {number / 2**30:.0f} '
            'GiB: set cache of the data set, or read them from disk (config '
            'bootmae_deit-tiny_folder-disk)',
        )
        # Allocated at once: a list of images and their stack would take twice as much.
        pixels, good, bad = np.empty((len(infos), 3, *size), np.uint8), [], []
        images = _map_in_threads(partial(read_image, size=size), infos)
        for i, image in enumerate(images):
            if isinstance(image, np.ndarray):
                pixels[len(good)] = image.transpose(2, 0, 1)
                good.append(i)
            else:
                bad.append(image)
        return pixels[: len(good)], good, bad

    def _map(
        self, infos: list[dict], size: tuple[int, int], folder: str
    ) -> tuple[np.ndarray, list[int], list[str]]:
        """Map the images of a cache; returns as :meth:`PixelCache.load`."""
        cache = PixelCache(folder, [info['img_path'] for info in infos], size)
        result = cache.load(
            lambda path: read_image(dict(img_path=path), size), _map_in_threads
        )
        print_log(
            f'{len(infos):,} images of {size[0]}x{size[1]} '
            f'({result[0].nbytes / 2**30:.2f} GiB) mapped from {folder}; '
            f'{cache.copied:,} of them were decoded before',
            'current',
        )
        return result

    def _labels(self, infos: list[dict]) -> Tensor:
        missing = [
            info.get('img_path', i)
            for i, info in enumerate(infos)
            if info.get('gt_label') is None
        ]
        check(
            not missing,
            f'{len(missing)} images have no label (first: {missing[:1]}), but labels '
            'are needed for evaluation: use a data set with labels, or set '
            'with_label=False for pretraining',
        )
        labels = torch.tensor([int(info['gt_label']) for info in infos])
        classes = self.metainfo.get('classes')
        if classes is not None:
            low, high = int(labels.min()), int(labels.max())
            check(
                0 <= low and high < len(classes),
                f'labels run from {low} to {high}, but there are {len(classes)} '
                f'classes: they must be 0 to {len(classes) - 1}',
            )
        return labels

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """Return one sample: the entries of ``__getitems__`` without the batch axis."""
        return {key: value[0] for key, value in self.__getitems__([index]).items()}

    def __getitems__(self, indices: Sequence[int]) -> dict[str, Tensor]:
        """Return ``inputs`` (B, 3, H, W) uint8, ``sample_idx``, ``gt_label`` (B,)."""
        ids = torch.as_tensor(indices)
        # index_select copies whole images, which is much faster than images[ids].
        batch = dict(inputs=self.images.index_select(0, ids), sample_idx=ids)
        if self.labels is not None:
            batch['gt_label'] = self.labels[ids]
        return batch


@TRANSFORMS.register_module()
class CoverCrop(BaseTransform):
    """Make an image what :class:`InMemoryImages` makes of it: RGB, resized and cropped.

    mmpretrain's inferencers read images as BGR and then apply the ``pipeline`` of the
    test data set. With this transform they give the model the same pixels as the data
    set.

    Args:
        size: Side in pixels, or (height, width), see :func:`resize_and_crop`.
    """

    def __init__(self, size: int | tuple[int, int]) -> None:
        self.size = tuple(to_2tuple(size))

    def transform(self, results: dict) -> dict:
        """Replace ``img`` (H, W, 3) in BGR by (height, width, 3) in RGB, uint8."""
        image = Image.fromarray(np.ascontiguousarray(results['img'][..., ::-1]))
        results['img'] = np.array(resize_and_crop(image, self.size))
        results['img_shape'] = self.size
        return results


@FUNCTIONS.register_module()
def whole_batch(batch: dict, **_) -> dict:
    """Collate function for data sets that load whole batches: return the batch.

    Keywords are ignored because mmengine passes ``_scope_`` to the collate functions of
    inherited configs.
    """
    if isinstance(batch, list):
        raise UserError(
            "collate_fn 'whole_batch' needs a data set that loads whole batches "
            "(InMemoryImages): use collate_fn=dict(type='default_collate')"
        )
    return batch
