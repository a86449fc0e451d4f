"""Augmentation of a whole batch at once, on the device of the images.

Every transform here picks for each image a box, which becomes the output, and perhaps
mirrors it. Resampling a box is linear in the rows and in the columns, so a batch of
boxes is two batched matrix products: ``rows @ image @ columns.T``. In distribution and
in values these are torchvision's transforms (with antialiasing, as on PIL images).
"""

import math
from functools import lru_cache

import torch
from mmpretrain.registry import TRANSFORMS
from torch import Tensor

from ..errors import check


def _triangle(x: Tensor) -> Tensor:
    return (1 - x.abs()).clamp(min=0)


def _cubic(x: Tensor, a: float = -0.5) -> Tensor:
    """Keys' cubic with PIL's a."""
    x = x.abs()
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return torch.where(x < 1, near, torch.where(x < 2, far, torch.zeros_like(x)))


FILTERS = {'bilinear': _triangle, 'bicubic': _cubic}


def resample_matrix(
    start: Tensor, length: Tensor, out: int, size: int, flip: Tensor, filter: str
) -> Tensor:
    """Weights that resample the interval [start, start + length) to ``out`` pixels.

    Args:
        start, length: (B,) whole pixels; the interval may leave the image, where pixels
            count as 0 (padding).
        out: Pixels of the result.
        size: Pixels of the image.
        flip: (B,) bool, mirror the result.
        filter: 'bilinear' or 'bicubic'.

    Returns:
        (B, out, size), rows summing to 1 inside the image.
    """
    device = start.device
    scale = length.float()[:, None] / out  # (B, 1)
    index = torch.arange(out, device=device).float().expand(len(start), -1)
    index = torch.where(flip[:, None], out - 1 - index, index)
    centre = (index + 0.5) * scale  # (B, out), within the interval
    # Pixel j of the image is pixel j - start of the interval.
    pixel = torch.arange(size, device=device)[None] - start[:, None]  # (B, size)
    distance = pixel[:, None] + 0.5 - centre[..., None]  # (B, out, size)
    weight = FILTERS[filter](distance / scale.clamp(min=1)[..., None])
    inside = (pixel >= 0) & (pixel < length[:, None])
    weight = weight * inside[:, None]
    total = weight.sum(dim=-1, keepdim=True)
    # An output pixel that lies in the padding has no weights: it stays 0.
    return weight / torch.where(total > 0, total, torch.ones_like(total))


TABLE_BYTES = 32 * 2**20


@lru_cache(maxsize=8)
def resample_table(
    out: int, size: int, filter: str, device: torch.device
) -> Tensor | None:
    """:func:`resample_matrix` of all intervals inside the image, of both directions.

    Small images have few intervals: to look a matrix up is many times faster than to
    calculate it.

    Returns:
        (2, size, size + 1, out, size), by flip, start and length; None where it would
        be larger than ``TABLE_BYTES``.
    """
    if 2 * size * (size + 1) * out * size * 4 > TABLE_BYTES:
        return None
    grid = [torch.arange(n, device=device) for n in (2, size, size + 1)]
    flip, start, length = (t.flatten() for t in torch.meshgrid(*grid, indexing='ij'))
    # There is no interval of length 0; its place keeps the arithmetic simple.
    table = resample_matrix(start, length.clamp(min=1), out, size, flip > 0, filter)
    return table.unflatten(0, (2, size, size + 1))


def resample(
    images: Tensor,
    boxes: Tensor,
    size: int,
    flip: Tensor,
    filter: str = 'bicubic',
    inside: bool = False,
) -> Tensor:
    """Cut a box out of every image and resize it.

    Args:
        images: (B, C, H, W) float.
        boxes: (B, 4) long: top, left, height, width.
        size: Side of the result.
        flip: (B,) bool, mirror left to right.
        filter: 'bilinear' or 'bicubic', antialiased.
        inside: The boxes lie inside their images. Defaults to False: they may not.

    Returns:
        (B, C, size, size).
    """

    def matrices(start: Tensor, length: Tensor, pixels: int, flip: Tensor) -> Tensor:
        table = inside and resample_table(size, pixels, filter, images.device)
        if torch.is_tensor(table):
            return table[flip.long(), start, length]
        return resample_matrix(start, length, size, pixels, flip, filter)

    top, left, height, width = boxes.unbind(1)
    rows = matrices(top, height, images.shape[2], torch.zeros_like(flip))
    columns = matrices(left, width, images.shape[3], flip)
    # mmengine prepares the batch within autocast; pixels are not for half precision.
    with torch.autocast(images.device.type, enabled=False):
        # One product an image for all of its channels.
        x = images.flatten(1, 2) @ columns.transpose(1, 2)
        return rows[:, None] @ x.unflatten(1, images.shape[1:3])


class _BoxTransform:
    """Base: a subclass chooses the boxes."""

    filter = 'bicubic'
    inside = False

    def __init__(self, size: int, flip_prob: float) -> None:
        check(size > 0, f'size={size} must be positive')
        check(0 <= flip_prob <= 1, f'flip_prob={flip_prob} must lie between 0 and 1')
        self.size, self.flip_prob = size, flip_prob

    def boxes(self, images: Tensor) -> Tensor:
        raise NotImplementedError

    def __call__(self, images: Tensor) -> Tensor:
        """(B, C, H, W) float -> (B, C, size, size)."""
        flip = torch.rand(len(images), device=images.device) < self.flip_prob
        boxes = self.boxes(images)
        return resample(images, boxes, self.size, flip, self.filter, self.inside)


@TRANSFORMS.register_module()
class BatchRandomResizedCrop(_BoxTransform):
    """torchvision's RandomResizedCrop and RandomHorizontalFlip for a batch.

    Args:
        size: Side of the result in pixels.
        scale: Area of the crop over that of the image. Defaults to (0.2, 1), MAE's.
        ratio: Aspect ratio of the crop, drawn log-uniformly. Defaults to (3/4, 4/3).
        flip_prob: Probability of the flip. Defaults to 0.5.
        interpolation: 'bicubic' (default) or 'bilinear'.
    """

    inside = True
    tries = 10  # torchvision's, before it falls back to the central crop

    def __init__(
        self,
        size: int,
        scale: tuple[float, float] = (0.2, 1.0),
        ratio: tuple[float, float] = (3 / 4, 4 / 3),
        flip_prob: float = 0.5,
        interpolation: str = 'bicubic',
    ) -> None:
        super().__init__(size, flip_prob)
        check(
            0 < scale[0] <= scale[1] <= 1 and 0 < ratio[0] <= ratio[1],
            f'scale={scale} must be two increasing shares of the area up to 1, and '
            f'ratio={ratio} two increasing positive numbers',
        )
        check(
            interpolation in FILTERS,
            f'unknown interpolation={interpolation!r}: choose one of {list(FILTERS)}',
        )
        self.scale, self.ratio, self.filter = scale, ratio, interpolation

    def boxes(self, images: Tensor) -> Tensor:
        (b, _, h, w), device = images.shape, images.device
        # All tries of all images at once; the first that fits counts.
        u = torch.rand(4, b, self.tries, device=device)
        area = h * w * (self.scale[0] + u[0] * (self.scale[1] - self.scale[0]))
        low, high = (math.log(r) for r in self.ratio)
        aspect = torch.exp(low + u[1] * (high - low))
        width = (area * aspect).sqrt().round().long()
        height = (area / aspect).sqrt().round().long()
        fits = (0 < width) & (width <= w) & (0 < height) & (height <= h)
        top = (u[2] * (h - height + 1)).long().minimum(h - height)
        left = (u[3] * (w - width + 1)).long().minimum(w - width)
        boxes = torch.stack([top, left, height, width], dim=-1)  # (B, tries, 4)
        first = fits.int().argmax(dim=1)
        chosen = boxes[torch.arange(b, device=device), first]
        central = self._central(h, w, device)
        return torch.where(fits.any(dim=1)[:, None], chosen, central)

    def _central(self, h: int, w: int, device: torch.device) -> Tensor:
        height, width = h, w
        if w / h < self.ratio[0]:
            height = round(w / self.ratio[0])
        elif w / h > self.ratio[1]:
            width = round(h * self.ratio[1])
        box = [(h - height) // 2, (w - width) // 2, height, width]
        return torch.tensor(box, device=device)


@TRANSFORMS.register_module()
class BatchPadCrop(_BoxTransform):
    """torchvision's RandomCrop(size, padding) and RandomHorizontalFlip for a batch.

    Args:
        size: Side of the result in pixels.
        padding: Black pixels around the image. Defaults to 4.
        flip_prob: Probability of the flip. Defaults to 0.5.
    """

    filter = 'bilinear'  # nothing is resized: whole pixels stay what they are

    def __init__(self, size: int, padding: int = 4, flip_prob: float = 0.5) -> None:
        super().__init__(size, flip_prob)
        check(padding >= 0, f'padding={padding} must not be negative')
        self.padding = padding

    def boxes(self, images: Tensor) -> Tensor:
        (b, _, h, w), device, pad = images.shape, images.device, self.padding
        check(
            self.size <= min(h, w) + 2 * pad,
            f'BatchPadCrop: size={self.size} is larger than the padded image '
            f'({h + 2 * pad}x{w + 2 * pad}): choose a larger padding or smaller size',
        )
        top = torch.randint(h + 2 * pad - self.size + 1, (b,), device=device) - pad
        left = torch.randint(w + 2 * pad - self.size + 1, (b,), device=device) - pad
        size = torch.full_like(top, self.size)
        return torch.stack([top, left, size, size], dim=1)
