"""Cluttered scenes of the bundled Fashion-MNIST garments, with a label map each."""

import numpy as np
from PIL import Image

from ..datasets.fashion_mnist import CLASSES as GARMENTS
from ..datasets.fashion_mnist import load_fashion_mnist_12k

SIDE = 56  # pixels of a scene
CLASSES = ('background', *GARMENTS)
NUMBERS = {'train': 200, 'test': 100}  # scenes
GARMENTS_PER_SCENE = (4, 7)
SIDES = (22, 34)  # pixels of a garment
BRIGHTNESS = (0.5, 1.0)
INK = 25  # gray value from which a pixel belongs to the garment


def load_fashion_scenes(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Compose the same scenes of Fashion-MNIST's garments every time.

    A scene shows 4 to 7 garments on black, at random sizes, places and brightness.
    Later garments cover parts of earlier ones. The training scenes show training images
    only, the test scenes test images only.

    Args:
        split: 'train' (200 scenes) or 'test' (100).

    Returns:
        Images (N, 56, 56, 3) uint8 and label maps (N, 56, 56) uint8: 0 is the
        background, 1 + c the class c.

    Raises:
        UserError: if the split is unknown.
    """
    garments, labels = load_fashion_mnist_12k(split)
    generator = np.random.default_rng(len(garments))
    scenes = [_scene(garments, labels, generator) for _ in range(NUMBERS[split])]
    gray, maps = (np.stack(parts) for parts in zip(*scenes, strict=True))
    return np.repeat(gray[..., None], 3, axis=-1), maps


def _scene(garments, labels, generator) -> tuple[np.ndarray, np.ndarray]:
    image, label = (np.zeros((SIDE, SIDE), np.uint8) for _ in range(2))
    for _ in range(generator.integers(*GARMENTS_PER_SCENE, endpoint=True)):
        index = generator.integers(len(garments))
        side = int(generator.integers(*SIDES, endpoint=True))
        top, left = generator.integers(SIDE - side, size=2, endpoint=True)
        garment = Image.fromarray(garments[index]).resize((side, side), Image.BICUBIC)
        garment = np.asarray(garment)[:, :: generator.choice((-1, 1))]
        box, ink = np.s_[top : top + side, left : left + side], garment >= INK
        image[box][ink] = (garment * generator.uniform(*BRIGHTNESS))[ink]
        label[box][ink] = labels[index] + 1
    return image, label
