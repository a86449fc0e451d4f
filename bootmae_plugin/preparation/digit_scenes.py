"""The demo scenes of two digits: a label map each, or the digits as objects."""

from collections.abc import Iterator

import numpy as np
from PIL import Image

from ..datasets.digits import CLASSES as DIGITS
from ..datasets.digits import load_digits_rgb

SCENE = (32, 64)  # height, width in pixels
CLASSES = ('background', *DIGITS)
NUMBERS = {'train': 400, 'test': 100}  # scenes
CELL = 32  # side of the area for one digit
SIDES = (26, 32)  # pixels of a digit
INK = 90  # gray value from which a pixel belongs to the digit


def load_digit_scenes(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Compose the same scenes of scikit-learn's digits every time.

    A scene shows two digits side by side on black, at random sizes and positions. The
    training and the test scenes show different digits.

    Args:
        split: 'train' (400 scenes) or 'test' (100).

    Returns:
        Images (N, 32, 64, 3) uint8 and label maps (N, 32, 64) uint8: 0 is the
        background, 1 + d the digit d.

    Raises:
        UserError: if scikit-learn is missing or the split unknown.
    """
    digits, labels = load_digits_rgb(split)
    generator = np.random.default_rng(len(digits))
    scenes = [_scene(digits, labels, generator) for _ in range(NUMBERS[split])]
    gray, maps = (np.stack(parts) for parts in zip(*scenes, strict=True))
    return np.repeat(gray[..., None], 3, axis=-1), maps


def load_digit_objects(
    split: str,
) -> tuple[np.ndarray, list[list[tuple[int, np.ndarray]]]]:
    """Return the scenes of :func:`load_digit_scenes` with their digits as objects.

    Args:
        split: 'train' or 'test'.

    Returns:
        Images (N, 32, 64, 3) uint8, and for each the digit and the mask (32, 64) of its
        objects.
    """
    images, maps = load_digit_scenes(split)
    return images, [list(_objects(label_map)) for label_map in maps]


def _objects(label_map: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    for left in range(0, SCENE[1], CELL):
        mask = label_map > 0
        mask[:, :left] = mask[:, left + CELL :] = False
        yield int(label_map[mask][0]) - 1, mask


def _scene(digits, labels, generator) -> tuple[np.ndarray, np.ndarray]:
    image, label = (np.zeros(SCENE, np.uint8) for _ in range(2))
    for cell in np.ndindex(SCENE[0] // CELL, SCENE[1] // CELL):
        index = generator.integers(len(digits))
        side = int(generator.integers(*SIDES, endpoint=True))
        offset = generator.integers(CELL - side, size=2, endpoint=True)
        top, left = CELL * np.array(cell) + offset
        digit = Image.fromarray(digits[index, ..., 0])
        digit = np.asarray(digit.resize((side, side), Image.BICUBIC))
        box = np.s_[top : top + side, left : left + side]
        image[box] = digit
        label[box] = np.where(digit >= INK, labels[index] + 1, 0)
    return image, label
