"""The demo data set: scikit-learn's 1,797 handwritten digits as small images."""

from functools import cache

import numpy as np
from PIL import Image

from ..errors import UserError, check

SIZE = 32
TEST_SHARE = 0.2
CLASSES = tuple('0123456789')


def load_digits_rgb(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Load the digits, resized from 8x8 to 32x32 RGB, in a fixed stratified split.

    Args:
        split: 'train' (1,437 images) or 'test' (360).

    Returns:
        Images (N, 32, 32, 3) uint8, and labels (N,) int64.

    Raises:
        UserError: if scikit-learn is missing or the split unknown.
    """
    check(
        split in ('train', 'test'),
        f"unknown split={split!r} of the digits: choose 'train' or 'test'",
    )
    images, labels = _resized(split)
    return images.copy(), labels.copy()


@cache
def _resized(split: str) -> tuple[np.ndarray, np.ndarray]:
    try:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split
    except ImportError as error:
        raise UserError(
            'the digits are part of scikit-learn, which is not installed: '
            'pip install scikit-learn'
        ) from error
    digits = load_digits()
    parts = train_test_split(
        np.arange(len(digits.target)),
        test_size=TEST_SHARE,
        stratify=digits.target,
        random_state=0,
    )
    ids = np.sort(parts[split == 'test'])
    gray = np.rint(digits.images[ids] * (255 / 16)).astype(np.uint8)
    large = [Image.fromarray(g).resize((SIZE, SIZE), Image.BICUBIC) for g in gray]
    images = np.repeat(np.stack(large)[..., None], 3, axis=-1)
    return images, digits.target[ids].astype(np.int64)
