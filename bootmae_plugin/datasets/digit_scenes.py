"""The bundled segmentation set: scenes of several digits, a label for every pixel."""

import numpy as np
from PIL import Image

from .digits import CLASSES as DIGITS
from .digits import load_digits_rgb

SCENE = (32, 64)  # height, width in pixels
CLASSES = ('background', *DIGITS)
NUMBERS = {'train': 400, 'test': 100}  # scenes
TRIES = 12  # to place a digit where no other one is
SIDES = (26, 32)  # pixels of a digit
INK = 90  # grey value from which a pixel belongs to the digit


def load_digit_scenes(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Scenes composed of scikit-learn's digits, the same ones every time.

    Digits of several sizes side by side on black, as many as find a place, those of
    'test' from digits that no training scene shows.

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
    grey, maps = (np.stack(parts) for parts in zip(*scenes, strict=True))
    return np.repeat(grey[..., None], 3, axis=-1), maps


def _scene(digits, labels, generator) -> tuple[np.ndarray, np.ndarray]:
    height, width = SCENE
    image, label = (np.zeros(SCENE, np.uint8) for _ in range(2))
    for _ in range(TRIES):
        index = generator.integers(len(digits))
        side = int(generator.integers(*SIDES, endpoint=True))
        top = generator.integers(height - side, endpoint=True)
        left = generator.integers(width - side, endpoint=True)
        digit = Image.fromarray(digits[index, ..., 0])
        digit = np.asarray(digit.resize((side, side), Image.BICUBIC))
        box = np.s_[top : top + side, left : left + side]
        ink = digit >= INK
        if image[box][ink].any():  # would touch another one
            continue
        image[box] = np.maximum(image[box], digit)
        label[box] = np.where(ink, labels[index] + 1, label[box])
    return image, label
