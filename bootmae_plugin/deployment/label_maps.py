"""Write predicted label maps and overlays as PNG files; needs no torch."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import check
from ..images import overlay
from .spec import ModelSpec

OVERLAYS = 'overlays'  # folder in the output folder


def map_files(paths: Sequence[Path], out: Path) -> dict[Path, Path]:
    """Return the label map of each photo: ``<out>/<name>.png``.

    Raises:
        UserError: if two photos have the same name.
    """
    files = {path: out / f'{path.stem}.png' for path in paths}
    owners: dict[Path, Path] = {}
    for path, file in files.items():
        other = owners.setdefault(file, path)
        check(
            other == path,
            f'{other} and {path} would both be written to {file}: predict them into '
            'two folders',
        )
    return files


def save_map(
    image: np.ndarray, labels: np.ndarray, spec: ModelSpec, file: Path
) -> None:
    """Write a label map, and its overlay into the folder ``overlays`` beside it.

    Args:
        image: (H, W, 3) uint8.
        labels: (H, W) class numbers. The PNG has 8 bits, with more than 256 classes 16.
        spec: Of the model.
        file: PNG file of the map.
    """
    drawn = file.parent / OVERLAYS / file.name
    drawn.parent.mkdir(parents=True, exist_ok=True)
    kind = np.uint8 if len(spec.palette) <= 256 else np.uint16
    Image.fromarray(labels.astype(kind)).save(file)
    Image.fromarray(overlay(image, labels, spec.palette)).save(drawn)
