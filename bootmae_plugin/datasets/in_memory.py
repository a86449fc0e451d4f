"""Images in memory as one uint8 tensor, loaded a batch at a time."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import torch
from mmengine import dist
from mmengine.logging import print_log
from mmengine.registry import FUNCTIONS
from mmengine.utils import to_2tuple
from mmpretrain.registry import DATASETS
from rich.console import Console
from rich.progress import track
from torch import Tensor
from torch.utils.data import Dataset

from ..errors import UserError, check
from .read import read_image

MAX_BYTES = 64 * 2**30


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
    ) -> None:
        check(
            on_error in ('raise', 'skip'),
            f"unknown on_error={on_error!r}: choose 'raise' or 'skip'",
        )
        source = DATASETS.build(source)
        infos = [source.get_data_info(i) for i in range(len(source))]
        self.metainfo = source.metainfo
        height, width = img_size = tuple(to_2tuple(img_size))
        size = 3 * height * width * len(infos)
        check(
            size <= MAX_BYTES,
            f'{len(infos):,} images of {height}x{width} take {size / 2**30:.0f} '
            'GiB: read them from disk (config bootmae_deit-tiny_folder-disk)',
        )
        images = self._decode(infos, img_size)
        good = [i for i, image in enumerate(images) if isinstance(image, np.ndarray)]
        bad = [image for image in images if not isinstance(image, np.ndarray)]
        if bad:
            first = '; '.join(bad[:3])
            text = f'{len(bad)} of {len(images)} images cannot be read: {first}'
            advice = "repair or remove them, or set on_error='skip' on the data set"
            check(on_error == 'skip' and len(good) > 0, f'{text}: {advice}')
            print_log(f'skipped: {text}', 'current', level=30)
        pixels = np.stack([images[i] for i in good])
        # (N, 3, H, W), contiguous: otherwise every batch would be copied once more.
        self.images = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()
        self.labels = self._labels([infos[i] for i in good]) if with_label else None

    def _decode(self, infos: list[dict], size: tuple[int, int]) -> list:
        console = Console(stderr=True, quiet=not dist.is_main_process())
        with ThreadPoolExecutor() as pool:  # Pillow releases the interpreter lock
            return list(
                track(
                    pool.map(partial(read_image, size=size), infos, chunksize=64),
                    'reading images',
                    len(infos),
                    console=console,
                    transient=True,
                    disable=len(infos) < 2000 or not console.is_terminal,
                )
            )

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
