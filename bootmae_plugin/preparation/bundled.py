"""Prepare the data sets that need no download: digits, a part of Fashion-MNIST, scenes.

The functions return what those of :mod:`.prepare` do.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from .folder import Prepared
from .publish import build_once

SPLITS = ('train', 'test')
FASHION_MNIST = 'Fashion-MNIST, Zalando SE, MIT license; in this package'


def prepare_digits(out: Path | None = None) -> Prepared:
    """Check that scikit-learn's digits load; with ``out``, write them as PNG files.

    Args:
        out: Folder of the result: ``train/<class>/*.png`` and ``test/<class>/*.png``.
            Defaults to None: write nothing, because the data set ``Digits`` reads them
            from scikit-learn.

    Raises:
        UserError: if scikit-learn is not installed, or ``out`` holds other files.
    """
    from ..datasets.digits import CLASSES, load_digits_rgb

    asked = {'dataset': 'digits', 'source': 'scikit-learn'}
    return _images(out, asked, load_digits_rgb, CLASSES)


def prepare_fashion_mnist_12k(out: Path | None = None) -> Prepared:
    """Check that the bundled Fashion-MNIST loads; with ``out``, write PNG files.

    Args:
        out: As for the digits. The data set ``FashionMNIST12k`` needs no files.

    Raises:
        UserError: if the bundled file is damaged, or ``out`` holds other files.
    """
    from ..datasets.fashion_mnist import CLASSES, load_fashion_mnist_12k

    asked = {'dataset': 'fashion-mnist-12k', 'source': FASHION_MNIST}
    return _images(out, asked, load_fashion_mnist_12k, CLASSES)


def prepare_digit_scenes(out: Path) -> Prepared:
    """Compose the digit scenes and write images and label maps.

    Args:
        out: Folder of the result: ``img_dir`` and ``ann_dir``, each with ``train`` and
            ``test``.

    Raises:
        UserError: if scikit-learn is not installed, or ``out`` holds other files.
    """
    from .digit_scenes import load_digit_scenes

    asked = {'dataset': 'digit-scenes', 'source': 'scikit-learn'}
    return _scenes(out, asked, load_digit_scenes)


def prepare_digit_objects(out: Path) -> Prepared:
    """Compose the digit scenes and write images and COCO annotations.

    Args:
        out: Folder of the result: ``train/``, ``test/``, ``instances_train.json`` and
            ``instances_test.json``.

    Raises:
        UserError: if scikit-learn is not installed, or ``out`` holds other files.
    """
    from ..datasets.digits import CLASSES
    from .coco import coco_annotations
    from .digit_scenes import load_digit_objects

    def build(partial: Path) -> dict:
        counts = {}
        for split in SPLITS:
            images, objects = load_digit_objects(split)
            names = [f'{index:04d}.png' for index in range(len(images))]
            for name, image in zip(names, images, strict=True):
                _save(image, partial / split / name)
            content = json.dumps(coco_annotations(names, objects, CLASSES))
            (partial / f'instances_{split}.json').write_text(content)
            counts[split] = len(images)
        return {'counts': counts}

    asked = {'dataset': 'digit-objects', 'source': 'scikit-learn'}
    files = [f'instances_{split}.json' for split in SPLITS]
    return build_once(out, asked, [*SPLITS, *files], build)


def prepare_fashion_scenes(out: Path) -> Prepared:
    """Compose the scenes of garments and write images and label maps.

    Args:
        out: As for the digit scenes.

    Raises:
        UserError: if the bundled file is damaged, or ``out`` holds other files.
    """
    from .fashion_scenes import load_fashion_scenes

    asked = {'dataset': 'fashion-scenes', 'source': FASHION_MNIST}
    return _scenes(out, asked, load_fashion_scenes)


def _images(
    out: Path | None, asked: dict, load: Callable, classes: Sequence[str]
) -> Prepared:
    splits = {split: load(split) for split in SPLITS}
    counts = {split: len(labels) for split, (_, labels) in splits.items()}

    def build(partial: Path) -> dict:
        for split, (images, labels) in splits.items():
            for index, (image, label) in enumerate(zip(images, labels, strict=True)):
                _save(image, partial / split / classes[label] / f'{index:04d}.png')
        return {'counts': counts}

    if out is None:
        return {**asked, 'counts': counts}, False
    return build_once(out, asked, list(SPLITS), build)


def _scenes(out: Path, asked: dict, load: Callable) -> Prepared:
    def build(partial: Path) -> dict:
        counts = {}
        for split in SPLITS:
            scenes = dict(zip(('img_dir', 'ann_dir'), load(split), strict=True))
            for kind, arrays in scenes.items():
                for index, array in enumerate(arrays):
                    _save(array, partial / kind / split / f'{index:04d}.png')
                counts[split] = len(arrays)
        return {'counts': counts}

    return build_once(out, asked, ['img_dir', 'ann_dir'], build)


def _save(pixels: np.ndarray, path: Path) -> None:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
