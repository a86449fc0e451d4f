"""Sources of images: thin classes over mmpretrain's datasets."""

from pathlib import Path

from mmengine import dist
from mmpretrain.datasets import CIFAR10, CustomDataset
from mmpretrain.datasets.base_dataset import BaseDataset
from mmpretrain.registry import DATASETS

from ..errors import UserError, check
from .digits import CLASSES, load_digits_rgb


def check_data_root(data_root: str) -> Path:
    """Return the folder as a path; raise :class:`UserError` if it does not exist."""
    root = Path(data_root).expanduser()
    check(
        root.is_dir(),
        f'data folder {data_root} does not exist: check data_root, or make it with '
        'tools/prepare_data.py',
    )
    return root


@DATASETS.register_module()
class Digits(BaseDataset):
    """scikit-learn's digits (:func:`load_digits_rgb`); nothing to download.

    Args:
        split: 'train' or 'test'.
        **kwargs: See mmpretrain's ``BaseDataset``.
    """

    METAINFO = {'classes': CLASSES}

    def __init__(self, split: str = 'train', **kwargs) -> None:
        self.split = split
        super().__init__(ann_file='', **kwargs)

    def load_data_list(self) -> list[dict]:
        images, labels = load_digits_rgb(self.split)
        return [
            dict(img=image, gt_label=int(label))
            for image, label in zip(images, labels, strict=True)
        ]


@DATASETS.register_module()
class CIFAR10Copy(CIFAR10):
    """CIFAR-10 in whichever form lies under ``data_root``.

    The official pickles (mmpretrain's class: checksum, and download where nothing is
    there), or an image folder ``train/<class>/*``, ``test/<class>/*`` as
    ``tools/prepare_data.py cifar10 --from`` makes it. Official pickles come first.

    Args: See mmpretrain's ``CIFAR10``.
    """

    def load_data_list(self) -> list[dict]:
        root = Path(self.data_prefix['root'])
        folder, official = root / self.split, root / self.base_folder
        # They are pickles, which are unpickled only if they are the official ones.
        given = official.is_dir() and dist.is_main_process()
        check(
            not given or self._check_integrity(),
            f'{official} is not complete or not the official data (its MD5 sums are '
            'others), so it was not read: move it away, or get it again with '
            'tools/prepare_data.py cifar10',
        )
        if official.is_dir() or not folder.is_dir():
            try:
                return super().load_data_list()
            except (OSError, RuntimeError, AssertionError) as error:
                raise UserError(
                    f'CIFAR-10 is not in {root} and cannot be downloaded ({error}): '
                    'check the connection, or bring your copy with '
                    'tools/prepare_data.py cifar10 --from'
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

    mmpretrain's ``CustomDataset`` (sub-folders are classes; or ``ann_file`` with one
    relative path a line and an optional label), which says in one line what is wrong.

    Args:
        data_root: Folder of the images.
        ann_file: List file. Defaults to '': every image below ``data_root``.
        with_label: Take labels, from the list file or the sub-folders. Defaults to
            True.
        **kwargs: See mmpretrain's ``CustomDataset``.
    """

    def __init__(
        self, data_root: str, ann_file: str = '', with_label: bool = True, **kwargs
    ) -> None:
        root = check_data_root(data_root)
        if ann_file:
            # Relative to the working directory, as a user types it.
            check(
                Path(ann_file).is_file() or (root / ann_file).is_file(),
                f'list file {ann_file} does not exist: check ann_file (one path '
                f'relative to {data_root} a line)',
            )
            if Path(ann_file).is_file():
                ann_file = str(Path(ann_file).resolve())
        elif with_label:
            check(
                any(path.is_dir() for path in root.iterdir()),
                f'data folder {data_root} has no sub-folders, and these are the labels:'
                ' put each class into a folder of its name, give a list file with '
                'labels as ann_file, or set with_label=False for pretraining',
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
                    f'{self.ann_file} line {number} has no label, which evaluation '
                    f"needs: write 'path label' with a whole number, got {line[:80]!r}",
                )
