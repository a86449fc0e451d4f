"""Generated scenes in the folder layouts of the segmentation data sets."""

from pathlib import Path

import numpy as np
from PIL import Image


def write_scenes(
    folder: Path,
    splits: dict[str, str],
    number: int = 4,
    size: tuple[int, int] = (180, 240),
    labels: int = 12,
) -> Path:
    """Write noise images and random label maps below ``folder``.

    Args:
        folder: Root of the data set.
        splits: Map folder by image folder, for each split.
        number: Images per split.
        size: Height and width.
        labels: Number of labels, void included; the maps have 0 to labels - 1.

    Returns:
        ``folder``.
    """
    generator = np.random.default_rng(0)
    for image_dir, map_dir in splits.items():
        for name in (image_dir, map_dir):
            (folder / name).mkdir(parents=True, exist_ok=True)
        for i in range(number):
            pixels = generator.integers(0, 255, (*size, 3), dtype=np.uint8)
            label = generator.integers(0, labels, size, dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f'{image_dir}/{i}.jpg')
            Image.fromarray(label).save(folder / f'{map_dir}/{i}.png')
    return folder


def camvid(folder: Path, number: int = 4) -> Path:
    """Write scenes in CamVid's layout, with void pixels."""
    splits = ('train', 'val', 'test')
    return write_scenes(
        folder, {f'img_dir/{s}': f'ann_dir/{s}' for s in splits}, number
    )
