"""Data sets made ready for training: found or fetched, verified, put in their place.

Every function returns ``(manifest, fresh)``: what stands in ``<out>/.prepared.json``
(``counts``, ``source``, ``checksums``, ...) and whether this call made it or found it.
They raise :class:`~bootmae_plugin.errors.UserError` for whatever the user can mend.
Neither torch nor mmengine is imported before the work needs them.
"""

import gzip
import hashlib
import importlib.util
import os
import random
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bootmae_plugin.errors import UserError, check

from .archives import build_once, copy_tree, download, extract, fingerprint, track, walk

# The first seven are what mmpretrain's CustomDataset takes.
IMAGE_SUFFIXES = (
    ".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp",
)  # fmt: skip
CIFAR10_CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer",
    "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
CAMVID_LABELS = 12  # 11 classes and 11 = void
DEBIAN_FASHION_MNIST = '/usr/share/datasets/fashion-mnist'
# Of the unpacked files: Debian rewrites the gzip headers, so that the published sums of
# the .gz files fail there. With the date (2017-08-31) and the name put back into the
# headers Debian's files have the published sums, hence these are the official contents.
FASHION_MNIST_MD5 = {
    'train-images-idx3-ubyte': 'f4a8712d7a061bf5bd6d2ca38dc4d50a',
    'train-labels-idx1-ubyte': '9018921c3c673c538a1fc5bad174d6f9',
    't10k-images-idx3-ubyte': '8181f5470baa50b63fa0f6fddb340f0a',
    't10k-labels-idx1-ubyte': '15d484375f8d13e6eb1aabb0c3f46965',
}


def _describe(source):
    """Name and fingerprint of a source, as the manifest keeps it."""
    if source is None:
        return None
    source = Path(source)
    check(source.exists(), f"--from '{source}' does not exist; check the path")
    return f'{source.resolve().name} (md5 {fingerprint(source)})'


def _open_source(source, partial, wanted, expected):
    """The folder of an archive or folder, up to two levels down, that is ``wanted``."""
    top = Path(source)
    if not top.is_dir():
        top = partial / 'unpacked'
        top.mkdir()
        extract(source, top)
    for pattern in ('.', '*', '*/*'):
        for folder in sorted(top.glob(pattern)):
            if folder.is_dir() and wanted(folder):
                return folder
    raise UserError(f"'{source}' is not what was expected: {expected}; check --from")


def _images(folder):
    return [name for name in walk(folder) if name.lower().endswith(IMAGE_SUFFIXES)]


def _decode(path):
    from PIL import Image

    with Image.open(path) as image:
        image.load()


def _problems(root, names, workers, inspect=_decode):
    """{name: what is wrong} for the files that ``inspect`` raises on."""

    def attempt(name):
        try:
            inspect(root / name)
        except Exception as error:  # PIL raises nearly anything on damaged files
            return str(error).replace(str(root), '').splitlines()[0:1] or [repr(error)]

    found = {}
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:  # PIL frees the GIL
        # By parts: map() queues all it is given, and a folder may have millions.
        for start in track(range(0, len(names), 512), 'verify images'):
            part = names[start : start + 512]
            found.update({n: e[0] for n, e in zip(part, pool.map(attempt, part)) if e})
    return found


def _refuse(problems, total, what, remedy):
    if problems:
        first = ', '.join(f'{n} ({e})' for n, e in list(problems.items())[:3])
        more = f' and {len(problems) - 3} more' if len(problems) > 3 else ''
        raise UserError(
            f'{len(problems):,} of {total:,} {what}: {first}{more}; {remedy}'
        )


def prepare_cifar10(out, source=None, workers=None):
    """Make the official CIFAR-10 files or an image-folder copy ready.

    Args:
        out (Path): Gets ``cifar-10-batches-py`` (official), or ``train/<class>/*`` and
            ``test/<class>/*`` (copy).
        source (Path | None): Official archive or folder, or an archive or folder of
            images. None downloads the official archive to ``out``.
        workers (int | None): Threads that decode. Default: all CPUs.

    Raises:
        UserError: A wrong checksum or class name, an unreadable image, an unsafe or
            damaged archive, or ``out`` is taken.
    """

    def wanted(folder):
        batches = (folder / 'data_batch_1').is_file()
        return batches or all((folder / s).is_dir() for s in ('train', 'test'))

    def official(given, root, partial):
        from torchvision.datasets import CIFAR10

        files = CIFAR10.train_list + CIFAR10.test_list
        files = dict([*files, (CIFAR10.meta['filename'], CIFAR10.meta['md5'])])
        for name, md5 in files.items():
            found = fingerprint(root / name) if (root / name).is_file() else 'no file'
            check(
                found == md5,
                f"'{name}' of '{given}' has MD5 {found}, expected {md5}; get it again",
            )
        copy_tree(root, partial / CIFAR10.base_folder, list(files))
        return {  # 10,000 images a file, by the checksum
            'train': 10_000 * len(CIFAR10.train_list),
            'test': 10_000 * len(CIFAR10.test_list),
        }

    def copies(given, root, partial):
        counts = {}
        for split in ('train', 'test'):
            names = _images(root / split)
            classes = sorted({name.split('/')[0] for name in names})
            check(
                classes == list(CIFAR10_CLASSES),
                f"the classes in '{split}' of '{given}' are {classes[:12]}, expected "
                f'{list(CIFAR10_CLASSES)}; check --from',
            )
            if partial in root.parents:
                (root / split).rename(partial / split)
            else:
                copy_tree(root / split, partial / split, names)
            problems = _problems(partial / split, names, workers)
            _refuse(problems, len(names), 'images cannot be read', 'mend --from')
            counts[split] = len(names)
        return counts

    def build(partial):
        notes, given = {}, source
        if given is None:
            from torchvision.datasets import CIFAR10

            given = partial.parent / CIFAR10.filename
            download(CIFAR10.url, given, CIFAR10.tgz_md5)
            notes['source'] = f'{CIFAR10.filename} (md5 {CIFAR10.tgz_md5})'
        expected = 'data_batch_1 ... test_batch, or train/ and test/ with images'
        root = _open_source(given, partial, wanted, expected)
        is_official = (root / 'data_batch_1').is_file()
        notes['counts'] = (official if is_official else copies)(given, root, partial)
        return notes

    asked = {'dataset': 'cifar10', 'source': _describe(source)}
    return build_once(out, asked, ['cifar-10-batches-py', 'train', 'test'], build)


def prepare_fashion_mnist(out, source=None):
    """Unpack the four Fashion-MNIST files as mmpretrain's ``FashionMNIST`` reads them.

    Args:
        out (Path): Gets ``train-images-idx3-ubyte`` and the three others.
        source (Path | None): Folder of the files, ``.gz`` or not. None takes those of
            Debian's ``dataset-fashion-mnist`` if installed, else downloads to ``out``.

    Raises:
        UserError: A missing or damaged file, a wrong checksum, or ``out`` is taken.
    """

    def fetch(folder):
        from torchvision.datasets import FashionMNIST

        for name, md5 in FashionMNIST.resources:
            download(FashionMNIST.mirrors[0] + name, folder / name, md5)
        return folder

    def wanted(folder):
        return any((folder / f'{n}.gz').is_file() for n in FASHION_MNIST_MD5) or any(
            (folder / n).is_file() for n in FASHION_MNIST_MD5
        )

    def build(partial):
        debian = Path(DEBIAN_FASHION_MNIST)
        given = source or (debian if debian.is_dir() else fetch(partial.parent))
        root = _open_source(given, partial, wanted, 'the four idx files')
        for name, md5 in FASHION_MNIST_MD5.items():
            packed, plain = root / f'{name}.gz', root / name
            check(
                packed.is_file() or plain.is_file(),
                f"'{packed}' is missing; the four files are {list(FASHION_MNIST_MD5)}",
            )
            try:
                content = packed.read_bytes() if packed.is_file() else None
                content = gzip.decompress(content) if content else plain.read_bytes()
            except (gzip.BadGzipFile, EOFError, zlib.error) as error:
                raise UserError(
                    f"'{packed}' is cut or corrupt ({error}); get it again"
                ) from error
            found = hashlib.md5(content, usedforsecurity=False).hexdigest()
            check(
                found == md5,
                f"'{name}' of '{given}' has MD5 {found} unpacked, expected {md5}; get "
                'the official files',
            )
            (partial / name).write_bytes(content)
        notes = {'counts': {'train': 60_000, 'test': 10_000}}
        return notes if source else {**notes, 'source': _describe(given)}

    asked = {'dataset': 'fashion-mnist', 'source': _describe(source)}
    return build_once(out, asked, list(FASHION_MNIST_MD5), build)


def prepare_folder(
    source, out, labels=False, val_fraction=0.0, seed=0, skip_bad=False, workers=None
):
    """Verify a folder of images and write list files for ``CustomDataset``.

    Args:
        source (Path): The images; they are read, never copied or changed.
        out (Path): Gets ``train.txt``: a path relative to ``source`` on each line.
        labels (bool): Add the index of the first sub-folder, and write
            ``classes.txt``. Default: False.
        val_fraction (float): Part that goes to ``val.txt`` instead, 0 <= f < 1.
            Default: 0.
        seed (int): Of that choice. Default: 0.
        skip_bad (bool): Leave out what cannot be read and name it in
            ``unreadable.txt``, instead of an error. Default: False.
        workers (int | None): Threads that decode. Default: all CPUs.

    Raises:
        UserError: No images, unreadable ones, names that a list file cannot hold, or
            ``out`` is taken.
    """
    source = Path(source)
    check(source.is_dir(), f"--from '{source}' is not a folder; give one of images")
    check(0 <= val_fraction < 1, f'--val-fraction {val_fraction} is not in [0, 1)')
    names = _images(source)
    check(names, f"no images in '{source}'; expected files {' '.join(IMAGE_SUFFIXES)}")
    for name in names:
        check(
            name == name.strip() and len(name.splitlines()) == 1,
            f'a list file cannot hold the name {name!r}; rename it (no line breaks or '
            'blanks at its ends)',
        )
        check(
            not labels or '/' in name,
            f"'{name}' is in no class folder of '{source}'; move it, or drop --labels",
        )

    def build(partial):
        bad = _problems(source, names, workers)
        if not skip_bad:
            remedy = 'repair them, or leave them out with --skip-bad'
            _refuse(bad, len(names), 'images cannot be read', remedy)
        good = [name for name in names if name not in bad]
        number_val = round(len(good) * val_fraction)
        check(
            len(good) > number_val and (number_val or not val_fraction),
            f'{len(good)} readable images leave {len(good) - number_val} for training '
            f'and {number_val} for validation; add images or change --val-fraction',
        )
        val = set(random.Random(seed).sample(good, number_val))
        classes = sorted({name.split('/')[0] for name in names}) if labels else []

        def line(name):
            return f'{name} {classes.index(name.split("/")[0])}' if labels else name

        lists = {
            'train': [line(n) for n in good if n not in val],
            'val': [line(n) for n in good if n in val],
            'classes': classes,
            'unreadable': [f'{name}: {why}' for name, why in bad.items()],
        }
        for name, lines in lists.items():
            if lines:
                text = '\n'.join(lines) + '\n'
                (partial / f'{name}.txt').write_text(text, encoding='utf-8')
        return {'counts': {n: len(lines) for n, lines in lists.items() if lines}}

    asked = {'dataset': 'folder', 'source': _describe(source), 'labels': labels}
    asked |= {'val_fraction': val_fraction, 'seed': seed, 'skip_bad': skip_bad}
    targets = ['train.txt', 'val.txt', 'classes.txt', 'unreadable.txt']
    return build_once(out, asked, targets, build)


def prepare_camvid(source, out, workers=None):
    """Check CamVid's images against their label maps and put both in place.

    Args:
        source (Path): Archive or folder with ``img_dir`` and ``ann_dir``, each with
            ``train``, ``val`` and ``test``.
        out (Path): Gets ``img_dir`` and ``ann_dir``.
        workers (int | None): Threads that decode. Default: all CPUs.

    Raises:
        UserError: An image without a label map of its size with values 0 ... 11, a map
            without an image, an unsafe or damaged archive, or ``out`` is taken.
    """

    def inspect(image_path):
        import numpy as np
        from PIL import Image

        folder, split = image_path.parents[2], image_path.parent.name
        map_path = folder / 'ann_dir' / split / f'{image_path.stem}.png'
        if not map_path.is_file():
            raise ValueError('no label map')
        with Image.open(image_path) as image, Image.open(map_path) as label_map:
            image.load()
            if label_map.size != image.size:
                raise ValueError(f'label map {label_map.size}, image {image.size}')
            top = np.asarray(label_map).max()
            if label_map.mode not in ('L', 'P') or top >= CAMVID_LABELS:
                raise ValueError(f'label map {label_map.mode} with value {top}')

    def build(partial):
        folders = ('img_dir', 'ann_dir')
        root = _open_source(
            source,
            partial,
            lambda folder: all((folder / name).is_dir() for name in folders),
            'img_dir/{train,val,test} and ann_dir/{train,val,test}',
        )
        counts = {}
        for split in ('train', 'val', 'test'):
            images = _images(root / 'img_dir' / split)
            maps = _images(root / 'ann_dir' / split)
            check(
                images and len(images) >= len(maps),
                f"'{split}' of '{source}' has {len(images)} images and {len(maps)} "
                'label maps, expected one map an image; check --from',
            )
            names = [f'img_dir/{split}/{name}' for name in images]
            problems = _problems(root, names, workers, inspect)
            what = 'images have no proper label map (same size, values 0 ... 11)'
            _refuse(problems, len(names), what, 'mend --from')
            counts[split] = len(names)
        for name in folders:
            if partial in root.parents:
                (root / name).rename(partial / name)
            else:
                copy_tree(root / name, partial / name, _images(root / name))
        return {'counts': counts}

    asked = {'dataset': 'camvid', 'source': _describe(source)}
    return build_once(out, asked, ['img_dir', 'ann_dir'], build)


def prepare_digits(out=None):
    """Check that scikit-learn's digits are there, and write them as PNG if asked.

    Args:
        out (Path | None): Gets ``train/<class>/*.png`` and ``test/<class>/*.png``.
            None writes nothing.

    Raises:
        UserError: scikit-learn is not installed, or ``out`` is taken.
    """
    check(
        importlib.util.find_spec('sklearn') is not None,
        'the digits come with scikit-learn, which is not installed; '
        'run: pip install bootmae_plugin[demo]',
    )
    from .digits import load_digits_rgb

    def build(partial):
        from PIL import Image

        counts = {}
        for split in ('train', 'test'):
            images, labels = load_digits_rgb(split)
            for index, (image, label) in enumerate(zip(images, labels, strict=True)):
                folder = partial / split / str(int(label)) if partial else None
                if folder is not None:
                    folder.mkdir(parents=True, exist_ok=True)
                    Image.fromarray(image).save(folder / f'{index:04d}.png')
            counts[split] = len(labels)
        return {'counts': counts}

    asked = {'dataset': 'digits', 'source': 'scikit-learn'}
    if out is None:
        return asked | build(None), False
    return build_once(out, asked, ['train', 'test'], build)
