"""Sources of images: mmpretrain's data sets with helpful errors."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from mmengine import dist
from mmpretrain.datasets import CIFAR10, CustomDataset
from mmpretrain.datasets.base_dataset import BaseDataset
from mmpretrain.registry import DATASETS

from ..errors import UserError, check
from ..hints import command
from . import digits, fashion_mnist


def check_data_root(data_root: str) -> Path:
    """Return the folder as a path; raise :class:`UserError` if it does not exist."""
    root = Path(data_root).expanduser()
    check(
        root.is_dir(),
        f'data folder {data_root} does not exist: check data_root, or make it with '
        f'{command("data")}',
    )
    return root


class _Bundled(BaseDataset):
    """Images that a function of the split returns, with their labels."""

    load: Callable[[str], tuple[np.ndarray, np.ndarray]]

    def __init__(self, split: str = 'train', **kwargs) -> None:
        self.split = split
        super().__init__(ann_file='', **kwargs)

    def load_data_list(self) -> list[dict]:
        images, labels = self.load(self.split)
        return [
            dict(img=image, gt_label=int(label))
            for image, label in zip(images, labels, strict=True)
        ]


@DATASETS.register_module()
class Digits(_Bundled):
    """scikit-learn's digits, without a download; see :func:`load_digits_rgb`.

    Args:
        split: 'train' or 'test'.
        **kwargs: See mmpretrain's ``BaseDataset``.
    """

    METAINFO = {'classes': digits.CLASSES}
    load = staticmethod(digits.load_digits_rgb)


@DATASETS.register_module()
class FashionMNIST12k(_Bundled):
    """A part of Fashion-MNIST, without a download; see :func:`load_fashion_mnist_12k`.

    Args:
        split: 'train' or 'test'.
        **kwargs: See mmpretrain's ``BaseDataset``.
    """

    METAINFO = {'classes': fashion_mnist.CLASSES}
    load = staticmethod(fashion_mnist.load_fashion_mnist_12k)


@DATASETS.register_module()
class CIFAR10Copy(CIFAR10):
    """CIFAR-10 as official pickles or as an image folder.

    The official pickles are read by mmpretrain's class, which verifies their checksums
    and downloads them if ``data_root`` has neither form. An image folder has
    ``train/<class>/*`` and ``test/<class>/*``, as ``bootmae data cifar10 --from``
    writes it. If both are there, the pickles are used.

    Args: See mmpretrain's ``CIFAR10``.

    Raises:
        UserError: if the pickles are not the official ones, the download fails, or the
            folders are not the classes of CIFAR-10.
    """

    def load_data_list(self) -> list[dict]:
        root = Path(self.data_prefix['root'])
        folder, official = root / self.split, root / self.base_folder
        # Unpickling runs code, so only the official files are unpickled.
        given = official.is_dir() and dist.is_main_process()
        check(
            not given or self._check_integrity(),
            f'{official} is incomplete or not the official data (wrong MD5): move it '
            f'away, or get it again with {command("data")} cifar10',
        )
        if official.is_dir() or not folder.is_dir():
            try:
                return super().load_data_list()
            except (OSError, RuntimeError, AssertionError) as error:
                raise UserError(
                    f'CIFAR-10 is not in {root} and cannot be downloaded ({error}): '
                    'check the connection, or prepare your copy with '
                    f'{command("data")} cifar10 --from'
                ) from error
        source = ImageFolder(data_root=str(folder))
        check(
            tuple(source.CLASSES) == tuple(self.CLASSES),
            f'{folder} has the classes {source.CLASSES}, expected those of CIFAR-10, '
            f'{self.CLASSES}: use ImageFolder for other images',
        )
        return [source.get_data_info(i) for i in range(len(source))]


@DATASETS.register_module()
class ImageFolder(CustomDataset):
    """Images of a folder or a list file, with or without labels.

    This is mmpretrain's ``CustomDataset`` with errors of one line.

    Args:
        data_root: Folder of the images.
        ann_file: List file: one path relative to ``data_root`` per line, and with
            labels a space and the class number. Defaults to '': every image below
            ``data_root``.
        with_label: Read labels from the list file, or take the sub-folders as classes.
            Defaults to True.
        **kwargs: See mmpretrain's ``CustomDataset``.

    Raises:
        UserError: if the folder, the list file, images or labels are missing.
    """

    def __init__(
        self, data_root: str, ann_file: str = '', with_label: bool = True, **kwargs
    ) -> None:
        root = check_data_root(data_root)
        if ann_file:
            # A path on the command line is relative to the working directory.
            check(
                Path(ann_file).is_file() or (root / ann_file).is_file(),
                f'list file {ann_file} does not exist: check ann_file',
            )
            if Path(ann_file).is_file():
                ann_file = str(Path(ann_file).resolve())
        elif with_label:
            check(
                any(path.is_dir() for path in root.iterdir()),
                f'data folder {data_root} has no sub-folders to use as classes: put '
                'each class into its own sub-folder, set ann_file to a list file with '
                'labels, or set with_label=False for pretraining',
            )
        super().__init__(
            data_root=str(root.resolve()),
            data_prefix='',
            ann_file=ann_file,
            with_label=with_label,
            **kwargs,
        )

    def load_data_list(self) -> list[dict]:
        name = self.ann_file or self.img_prefix
        if self.ann_file and self.with_label:
            self._check_list_labels()
        try:
            data = super().load_data_list()
        except (RuntimeError, FileNotFoundError) as error:
            raise UserError(f'{name}: {str(error).splitlines()[0]}') from error
        check(
            len(data) > 0,
            f'no image was found in {name}: expected files ending in '
            f'{", ".join(sorted(self.extensions))}',
        )
        return data

    def _check_list_labels(self) -> None:
        with open(self.ann_file, encoding='utf-8') as lines:
            for number, line in enumerate(lines, 1):
                words = line.strip().rsplit(' ', 1)
                check(
                    not line.strip() or (len(words) == 2 and words[1].isdigit()),
                    f'{self.ann_file} line {number} has no label: write the path, a '
                    f'space and the class number, got {line.strip()[:80]!r}',
                )
