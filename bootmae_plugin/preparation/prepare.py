"""Prepare the known data sets: find or download them, verify them, put them into place.

Each function returns the content of ``<out>/.prepared.json`` (``counts``, ``source``,
``checksums``, ...) and whether this call built the data set. Only downloads import
torch, for their addresses.
"""

import gzip
import hashlib
import zlib
from collections.abc import Callable
from pathlib import Path

from ..errors import UserError, check
from .archives import extract
from .folder import Prepared, decode, describe, find_bad, list_images, refuse
from .publish import build_once, download, fingerprint, track, walk

CIFAR10_CLASSES = [
    *('airplane', 'automobile', 'bird', 'cat', 'deer'),
    *('dog', 'frog', 'horse', 'ship', 'truck'),
]
CAMVID_LABELS = 12  # 0..10 are classes, 11 is void
DEBIAN_FASHION_MNIST = '/usr/share/datasets/fashion-mnist'
# MD5 of the unpacked files, because Debian changes the gzip headers. With the original
# name and date (31 August 2017) in the headers, Debian's files have the published sums
# of the .gz files, so their contents are the official ones.
FASHION_MNIST_MD5 = {
    'train-images-idx3-ubyte': 'f4a8712d7a061bf5bd6d2ca38dc4d50a',
    'train-labels-idx1-ubyte': '9018921c3c673c538a1fc5bad174d6f9',
    't10k-images-idx3-ubyte': '8181f5470baa50b63fa0f6fddb340f0a',
    't10k-labels-idx1-ubyte': '15d484375f8d13e6eb1aabb0c3f46965',
}


def _open_source(
    source: Path, partial: Path, wanted: Callable[[Path], bool], expected: str
) -> Path:
    """Unpack an archive; return the ``wanted`` folder, at most two levels down."""
    top = source
    if not top.is_dir():
        top = partial / 'unpacked'
        top.mkdir()
        extract(source, top)
    for folder in [top, *sorted(top.glob('*')), *sorted(top.glob('*/*'))]:
        if folder.is_dir() and wanted(folder):
            return folder
    raise UserError(f'{source} does not hold {expected}: check --from')


def _place(folder: Path, target: Path, names: list[str], unpacked: bool) -> None:
    """Move a folder that we unpacked to ``target``; copy a folder of the user."""
    if unpacked:
        folder.rename(target)
        return
    for name in track(names, f'copy {folder.name}'):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_bytes((folder / name).read_bytes())


def prepare_cifar10(
    out: Path, source: Path | None = None, workers: int | None = None
) -> Prepared:
    """Prepare CIFAR-10, as the official files or as images.

    Args:
        out: Folder of the result: ``cifar-10-batches-py`` (official), or
            ``train/<class>/*`` and ``test/<class>/*`` (images).
        source: Archive or folder of either form. Defaults to None: download the
            official archive into ``out``.
        workers: Threads that decode images. Defaults to one per CPU.

    Raises:
        UserError: if a checksum or class name is wrong, an image is unreadable, the
            archive is unsafe or damaged, or ``out`` holds other files.
    """

    def wanted(folder: Path) -> bool:
        is_official = (folder / 'data_batch_1').is_file()
        return is_official or all((folder / s).is_dir() for s in ('train', 'test'))

    def official(root: Path, partial: Path) -> dict[str, int]:
        from torchvision.datasets import CIFAR10 as OFFICIAL

        meta = (OFFICIAL.meta['filename'], OFFICIAL.meta['md5'])
        for name, md5 in [*OFFICIAL.train_list, *OFFICIAL.test_list, meta]:
            right = (root / name).is_file() and fingerprint(root / name) == md5
            check(
                right, f'{name} is missing or does not have the MD5 {md5}: get it again'
            )
        _place(
            root, partial / OFFICIAL.base_folder, walk(root), partial in root.parents
        )
        # Each official file has 10,000 images.
        splits = {'train': OFFICIAL.train_list, 'test': OFFICIAL.test_list}
        return {split: 10_000 * len(files) for split, files in splits.items()}

    def images(root: Path, partial: Path) -> dict[str, int]:
        counts = {}
        for split in ('train', 'test'):
            names = list_images(root / split)
            classes = sorted({name.split('/')[0] for name in names})
            check(
                classes == CIFAR10_CLASSES,
                f"the classes of {source} in '{split}' are {classes[:12]}, expected "
                f'{CIFAR10_CLASSES}: check --from',
            )
            bad = find_bad(root / split, names, workers)
            refuse(bad, len(names), f'{split} images are unreadable', 'repair --from')
            _place(root / split, partial / split, names, partial in root.parents)
            counts[split] = len(names)
        return counts

    def build(partial: Path) -> dict:
        notes, given = {}, source
        if given is None:
            from torchvision.datasets import CIFAR10 as OFFICIAL

            given = out / OFFICIAL.filename
            download(OFFICIAL.url, given, OFFICIAL.tgz_md5)
            notes = {'source': describe(given)}
        expected = 'data_batch_1 ... test_batch, or train/ and test/ with images'
        root = _open_source(given, partial, wanted, expected)
        is_official = (root / 'data_batch_1').is_file()
        counts = (official if is_official else images)(root, partial)
        return {**notes, 'counts': counts}

    asked = {'dataset': 'cifar10', 'source': describe(source)}
    return build_once(out, asked, ['cifar-10-batches-py', 'train', 'test'], build)


def prepare_fashion_mnist(out: Path, source: Path | None = None) -> Prepared:
    """Unpack Fashion-MNIST for mmpretrain's ``FashionMNIST``.

    Args:
        out: Folder of the result: ``train-images-idx3-ubyte`` and three other files.
        source: Archive or folder of these files, with or without ``.gz``. Defaults to
            None: use Debian's package ``dataset-fashion-mnist`` if it is installed,
            otherwise download into ``out``.

    Raises:
        UserError: if a file is missing, damaged or not the official one, or ``out``
            holds other files.
    """

    def fetch() -> Path:
        from torchvision.datasets import FashionMNIST as OFFICIAL

        for name, md5 in OFFICIAL.resources:
            download(OFFICIAL.mirrors[0] + name, out / name, md5)
        return out

    def packed_or_plain(folder: Path, name: str) -> Path:
        packed = folder / f'{name}.gz'
        return packed if packed.is_file() else folder / name

    def wanted(folder: Path) -> bool:
        return all(packed_or_plain(folder, n).is_file() for n in FASHION_MNIST_MD5)

    def build(partial: Path) -> dict:
        debian = Path(DEBIAN_FASHION_MNIST)
        given = source or (debian if wanted(debian) else fetch())
        expected = f'the files {", ".join(FASHION_MNIST_MD5)}, with or without .gz'
        root = _open_source(given, partial, wanted, expected)
        for name, md5 in FASHION_MNIST_MD5.items():
            path = packed_or_plain(root, name)
            content = path.read_bytes()
            try:
                content = gzip.decompress(content) if path.suffix else content
            except (gzip.BadGzipFile, EOFError, zlib.error) as error:
                raise UserError(f'{path} is damaged ({error}): get it again') from error
            found = hashlib.md5(content, usedforsecurity=False).hexdigest()
            wrong = f'{path} has MD5 {found} when unpacked, expected {md5}'
            check(found == md5, f'{wrong}: get the official file')
            (partial / name).write_bytes(content)
        return {
            'source': asked['source'] or describe(given),
            'counts': {'train': 60_000, 'test': 10_000},
        }

    asked = {'dataset': 'fashion-mnist', 'source': describe(source)}
    return build_once(out, asked, list(FASHION_MNIST_MD5), build)


def prepare_camvid(out: Path, source: Path, workers: int | None = None) -> Prepared:
    """Verify CamVid's images and label maps, and copy or move them into place.

    Args:
        out: Folder of the result: ``img_dir`` and ``ann_dir``, each with ``train``,
            ``val`` and ``test``.
        source: Archive or folder that holds both.
        workers: Threads that decode images. Defaults to one per CPU.

    Raises:
        UserError: if an image has no label map of the same size with values 0..11, a
            label map has no image, the archive is unsafe or damaged, or ``out`` holds
            other files.
    """

    def inspect(path: Path) -> None:
        import numpy as np
        from PIL import Image

        ann_dir = path.parents[2] / 'ann_dir' / path.parent.name
        decode(path)
        with Image.open(path) as image, Image.open(ann_dir / f'{path.stem}.png') as ann:
            if ann.size != image.size or ann.mode not in ('L', 'P'):
                raise ValueError(f'label map {ann.mode} {ann.size}, image {image.size}')
            if (top := np.asarray(ann).max()) >= CAMVID_LABELS:
                raise ValueError(f'label {top}')

    def wanted(folder: Path) -> bool:
        return (folder / 'img_dir').is_dir() and (folder / 'ann_dir').is_dir()

    def build(partial: Path) -> dict:
        root = _open_source(source, partial, wanted, 'img_dir/ and ann_dir/')
        counts = {}
        for split in ('train', 'val', 'test'):
            kinds = ('img_dir', 'ann_dir')
            images, maps = (list_images(root / kind / split) for kind in kinds)
            check(
                images
                and {Path(n).stem for n in maps} <= {Path(n).stem for n in images},
                f"'{split}' of {source} has {len(images)} images and {len(maps)} label "
                'maps, expected one label map per image: check --from',
            )
            names = [f'img_dir/{split}/{name}' for name in images]
            bad = find_bad(root, names, workers, inspect)
            what = 'images lack a label map of their size with values 0..11'
            refuse(bad, len(names), what, 'repair --from')
            counts[split] = len(names)
        for kind in ('img_dir', 'ann_dir'):
            names = list_images(root / kind)
            _place(root / kind, partial / kind, names, partial in root.parents)
        return {'counts': counts}

    asked = {'dataset': 'camvid', 'source': describe(source)}
    return build_once(out, asked, ['img_dir', 'ann_dir'], build)
