"""Reading one image as 8-bit RGB of a fixed size, and label colors; without torch."""

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageOps

from .errors import UserError

# Pillow opens 16-bit PNG and PGM files as mode 'I' in some versions.
FORMATS_OF_16_BITS = ('PNG', 'PPM')
# The formats of mmpretrain's CustomDataset, and two more that its loader reads.
SUFFIXES = (
    *('.jpg', '.jpeg', '.png', '.ppm', '.bmp', '.pgm', '.tif'),
    *('.tiff', '.webp'),
)
MAX_STRETCH = 32  # sides of a crop that an image may cover when it is resized
OPACITY = 0.55  # of the label colors over an image
VOID_COLOR = (0, 0, 0)


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert an image of any mode to upright 8-bit RGB.

    The pixels are those that mmcv's ``LoadImageFromFile`` gives for the same file:

    * EXIF orientation is applied;
    * 16-bit images keep the high byte of every value, so 0..65535 becomes 0..255;
    * 32-bit images (Pillow's modes ``I`` and ``F``) are refused, because their range
      is unknown;
    * an alpha channel is dropped.

    Args:
        image: The image, which is rotated in place.

    Raises:
        UserError: if the image has 32-bit pixels.
    """
    ImageOps.exif_transpose(image, in_place=True)  # copies nothing if it is upright
    has_16_bits = image.mode == 'I' and image.format in FORMATS_OF_16_BITS
    if image.mode.startswith('I;16') or has_16_bits:
        # convert() would clip at 255 instead of scaling, which gives a white image.
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ('I', 'F'):
        raise UserError(
            f'32-bit pixels (mode {image.mode}) have no fixed range: convert the image '
            'to 8 or 16 bits'
        )
    return image.convert('RGB')


def resize_and_crop(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Resize an image (bicubic) until it covers ``size``, then crop the center.

    Args:
        image: The image.
        size: (height, width) in pixels.
    """
    target = size[::-1]  # Pillow's order: width, height
    if image.size == target:
        return image
    scale = max(w / side for w, side in zip(target, image.size, strict=True))
    # Resized as a whole, a strip of 30,000 x 1 pixels would become gigabytes. What is
    # cut off here is far outside of the crop.
    box = []
    for want, side in zip(target, image.size, strict=True):
        cut = max(side - math.ceil(MAX_STRETCH * want / scale), 0) // 2
        box.append((cut, side - cut))
    (left, right), (top, bottom) = box
    if (right - left, bottom - top) != image.size:
        image = image.crop((left, top, right, bottom))
    sides = list(zip(target, image.size, strict=True))
    covering = [max(want, round(side * scale)) for want, side in sides]
    image = image.resize(covering, Image.BICUBIC)
    left, top = ((c - want) // 2 for c, want in zip(covering, target, strict=True))
    return image.crop((left, top, left + target[0], top + target[1]))


def resize_edge_and_crop(
    image: Image.Image, edge: int, size: tuple[int, int]
) -> Image.Image:
    """Resize the shorter edge (bicubic), then crop the center.

    The pixels are those of mmpretrain's ``ResizeEdge`` (backend pillow, bicubic) and
    ``CenterCrop``.

    Args:
        image: The image.
        edge: Pixels of the shorter edge, at least those of ``size``.
        size: (height, width) in pixels.
    """
    width, height = image.size
    if width < height:
        resized = edge, int(edge * height / width)
    else:
        resized = int(edge * width / height), edge
    image = image.resize(resized, Image.BICUBIC)
    left, top = (
        max(round((a - b) / 2), 0) for a, b in zip(resized, size[::-1], strict=True)
    )
    return image.crop((left, top, left + size[1], top + size[0]))


def read_image(
    info: dict, size: tuple[int, int] | None, edge: int | None = None
) -> np.ndarray | str:
    """Read the image of a sample.

    Args:
        info: Sample with ``img`` (an array) or ``img_path``.
        size: (height, width) in pixels; see :func:`resize_and_crop`. None keeps the
            size of the image.
        edge: Resize by :func:`resize_edge_and_crop`. Defaults to None.

    Returns:
        (height, width, 3) uint8 pixels in RGB, or one line that says why the image
        cannot be read.
    """
    try:
        image = info['img'] if 'img' in info else info['img_path']
        if isinstance(image, np.ndarray):
            image = to_rgb(Image.fromarray(image))
        else:
            with Image.open(image) as file:
                if size is not None and edge is None:
                    # A large JPEG is decoded at 1/2, 1/4 or 1/8 of its size, many times
                    # faster, to at least twice what is wanted.
                    file.draft('RGB', (2 * max(size), 2 * max(size)))
                image = to_rgb(file)
    except Image.DecompressionBombError as error:
        reason = str(error).partition(', could be')[0]
        return f'{info.get("img_path", "an image")} ({reason}: make it smaller)'
    except Exception as error:  # Pillow raises SyntaxError, OSError, ValueError, ...
        return f'{info.get("img_path", "an image")} ({error})'
    if size is None:
        return np.asarray(image)
    if edge is None:
        return np.asarray(resize_and_crop(image, size))
    return np.asarray(resize_edge_and_crop(image, edge, size))


def overlay(image: np.ndarray, labels: np.ndarray, palette: Sequence) -> np.ndarray:
    """Draw labels over an image, in the colors of their classes.

    Args:
        image: (H, W, 3) uint8.
        labels: (H, W) integers; a label outside the palette is drawn in black.
        palette: (R, G, B) in 0..255 of each class.

    Returns:
        (H, W, 3) uint8.
    """
    known = (labels >= 0) & (labels < len(palette))
    colors = np.asarray([*palette, VOID_COLOR], dtype=np.float32)
    color = colors[np.where(known, labels, len(palette))]
    return np.rint((1 - OPACITY) * image + OPACITY * color).astype(np.uint8)
