"""The bundled data set: 12,000 images of Fashion-MNIST (MIT license)."""

from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import UserError, check

# One gray image of 100 x 120 tiles. A class has ten rows: its first 1,000 training
# images, then its first 200 test images, each in the order of the official files.
SHEET = Path(__file__).with_name('fashion-mnist-12k') / 'images.png'
SIZE = 28  # pixels
COLUMNS = 120
SPLITS = {'train': slice(1000), 'test': slice(1000, 1200)}  # of each class
CLASSES = (
    *('t-shirt', 'trouser', 'pullover', 'dress', 'coat'),
    *('sandal', 'shirt', 'sneaker', 'bag', 'ankle-boot'),
)


def load_fashion_mnist_12k(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Load the bundled part of Fashion-MNIST, sorted by class.

    Args:
        split: 'train' (1,000 images per class) or 'test' (200 per class).

    Returns:
        Gray images (N, 28, 28) uint8, and labels (N,) int64.

    Raises:
        UserError: if the file is missing or damaged, or the split unknown.
    """
    check(
        split in SPLITS,
        f"unknown split={split!r} of Fashion-MNIST: choose 'train' or 'test'",
    )
    try:
        with Image.open(SHEET) as image:
            sheet = np.asarray(image)
        tiles = sheet.reshape(-1, SIZE, COLUMNS, SIZE).swapaxes(1, 2)
        tiles = tiles.reshape(len(CLASSES), -1, SIZE, SIZE)
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(
            f'{SHEET} is missing or damaged ({error}): install bootmae_plugin again'
        ) from error
    images = tiles[:, SPLITS[split]]
    labels = np.repeat(np.arange(len(CLASSES)), images.shape[1])
    return images.reshape(-1, SIZE, SIZE), labels
