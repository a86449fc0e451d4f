"""Folders and archives of images for the tests of data preparation."""

import shutil
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

from bootmae_plugin.preparation import prepare


def picture(path: Path, size=(8, 8), value=None, mode='RGB') -> None:
    """Save an image of noise, seeded by the name, or of one value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(list(path.name.encode())).integers(0, 256, (*size, 3))
    image = Image.fromarray(noise.astype('uint8')).convert(mode)
    image = image if value is None else Image.new(mode, size[::-1], value)
    image.save(path)


def cifar_images(top: Path) -> Path:
    for split, number in (('train', 3), ('test', 2)):
        for name in prepare.CIFAR10_CLASSES:
            for i in range(number):
                picture(top / split / name / f'{i}.png', (32, 32))
    return top


def camvid_images(top: Path) -> Path:
    for split in ('train', 'val', 'test'):
        for i in range(2):
            picture(top / 'img_dir' / split / f'{i}.png')
            picture(top / 'ann_dir' / split / f'{i}.png', value=11, mode='L')
    return top


def pack(folder: Path, ending: str) -> Path:
    path = folder.with_name(f'{folder.name}.{ending}')
    if ending == 'zip':
        return Path(shutil.make_archive(folder, 'zip', folder.parent, folder.name))
    with tarfile.open(path, f'w:{ending.removeprefix("tar").strip(".")}') as tar:
        tar.add(folder, folder.name)
    return path


def left(out: Path) -> list:
    """Return the names in ``out``, with hidden files and unfinished work."""
    return sorted(p.name for p in out.iterdir()) if out.exists() else []
