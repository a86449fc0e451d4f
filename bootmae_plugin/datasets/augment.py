"""Augmentation of a whole batch at once, on the device of the images.

Every transform draws a box for each image, cuts it out and flips half of the results.
The boxes have torchvision's distribution. Resizing is linear in the rows and in the
columns, so resizing a batch of boxes is two batched matrix products:
``rows @ image @ columns.T``. The pixels are those of Pillow's 8-bit images: Pillow
rounds and limits them to 0..255 after each of the two steps, and so do we.
"""

import math
from collections.abc import Sequence
from functools import lru_cache

import torch
from mmengine.utils import to_2tuple
from mmpretrain.registry import TRANSFORMS
from torch import Tensor
from torch.nn import functional

from ..errors import check


def _triangle(x: Tensor) -> Tensor:
    return (1 - x.abs()).clamp(min=0)


def _cubic(x: Tensor, a: float = -0.5) -> Tensor:
    """Keys' cubic filter with Pillow's ``a``."""
    x = x.abs()
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return torch.where(x < 1, near, torch.where(x < 2, far, torch.zeros_like(x)))


FILTERS = {'bilinear': _triangle, 'bicubic': _cubic}


def resample_matrix(
    start: Tensor, length: Tensor, out: int, size: int, flip: Tensor, filter: str
) -> Tensor:
    """Return the weights that resize the interval [start, start + length) to ``out``.

    Args:
        start, length: (B,) whole pixels; the interval lies inside the image.
        out: Pixels of the result.
        size: Pixels of the image.
        flip: (B,) bool, flip the result.
        filter: 'bilinear' or 'bicubic'.

    Returns:
        (B, out, size). Each row sums to 1.
    """
    device = start.device
    scale = length.float()[:, None] / out  # (B, 1)
    index = torch.arange(out, device=device).float().expand(len(start), -1)
    index = torch.where(flip[:, None], out - 1 - index, index)
    center = (index + 0.5) * scale  # (B, out), relative to the interval
    # Pixel j of the image is pixel j - start of the interval.
    pixel = torch.arange(size, device=device)[None] - start[:, None]  # (B, size)
    distance = pixel[:, None] + 0.5 - center[..., None]  # (B, out, size)
    weight = FILTERS[filter](distance / scale.clamp(min=1)[..., None])
    inside = (pixel >= 0) & (pixel < length[:, None])
    weight = weight * inside[:, None]
    return weight / weight.sum(dim=-1, keepdim=True)


TABLE_BYTES = 32 * 2**20


@lru_cache(maxsize=8)
def resample_table(
    out: int, size: int, filter: str, device: torch.device
) -> Tensor | None:
    """Return :func:`resample_matrix` for every interval inside the image.

    Small images have few intervals, and looking up a matrix is many times faster than
    computing it.

    Returns:
        (2, size, size + 1, out, size), indexed by flip, start and length; None if it
        would be larger than ``TABLE_BYTES``.
    """
    if 2 * size * (size + 1) * out * size * 4 > TABLE_BYTES:
        return None
    grid = [torch.arange(n, device=device) for n in (2, size, size + 1)]
    flip, start, length = (t.flatten() for t in torch.meshgrid(*grid, indexing='ij'))
    # Intervals that are empty or leave the image do not occur; their entries keep the
    # indexing simple.
    length = length.clamp(min=1).minimum(size - start)
    table = resample_matrix(start, length, out, size, flip > 0, filter)
    return table.unflatten(0, (2, size, size + 1))


def _to_gray_levels(pixels: Tensor) -> Tensor:
    """Round to whole gray levels in 0..255, in place."""
    # Bicubic weights overshoot at edges. Half levels are rounded up, as in Pillow.
    return pixels.clamp_(0, 255).add_(0.5).floor_()


def resample(
    images: Tensor,
    boxes: Tensor,
    size: tuple[int, int],
    flip: Tensor,
    filter: str = 'bicubic',
) -> Tensor:
    """Crop one box from each image and resize it, the columns first.

    Args:
        images: (B, C, H, W) float, gray levels 0..255.
        boxes: (B, 4) long: top, left, height, width, inside the image.
        size: (height, width) of the result in pixels.
        flip: (B,) bool, flip left to right.
        filter: 'bilinear' or 'bicubic', antialiased.

    Returns:
        (B, C, *size) float, whole gray levels 0..255. They are those of Pillow's
        ``crop`` and ``resize``, up to one level. (Recent versions of Pillow may start
        with the rows if a box shrinks; at hard edges, the result then differs more.)
    """

    channels = images.shape[1]

    def weights(
        start: Tensor, length: Tensor, axis: int, flip: Tensor, copies: int
    ) -> Tensor:
        out, pixels = size[axis - 2], images.shape[axis]
        table = resample_table(out, pixels, filter, images.device)
        if table is None:
            matrices = resample_matrix(start, length, out, pixels, flip, filter)
            return matrices.repeat_interleave(copies, dim=0)
        index = (flip.long() * pixels + start) * (pixels + 1) + length
        # On CPUs index_select copies whole matrices, unlike table[flip, start, length].
        return table.flatten(0, 2).index_select(0, index.repeat_interleave(copies))

    top, left, height, width = boxes.unbind(1)
    columns = weights(left, width, 3, flip, copies=1)
    rows = weights(top, height, 2, torch.zeros_like(flip), copies=channels)
    # mmengine preprocesses under autocast; half precision would change pixels.
    with torch.autocast(images.device.type, enabled=False):
        # The columns of all channels of an image take one product.
        x = _to_gray_levels(images.flatten(1, 2) @ columns.transpose(1, 2))
        x = _to_gray_levels(rows @ x.unflatten(1, (channels, -1)).flatten(0, 1))
    return x.unflatten(0, (-1, channels))


class _BoxTransform:
    """Base of the batch transforms: a subclass draws the boxes and cuts them out."""

    def __init__(self, size: int | Sequence[int], flip_prob: float) -> None:
        self.size = tuple(to_2tuple(size))
        check(
            len(self.size) == 2 and min(self.size) > 0,
            f'size={size} must be a positive number of pixels or (height, width)',
        )
        check(0 <= flip_prob <= 1, f'flip_prob={flip_prob} must lie between 0 and 1')
        self.flip_prob = flip_prob

    def boxes(self, images: Tensor) -> Tensor:
        """Draw (B, 4) long boxes: top, left, height, width."""
        raise NotImplementedError

    def cut(self, images: Tensor, boxes: Tensor, flip: Tensor) -> Tensor:
        """Cut the boxes out of the images; flip (B,) bool."""
        raise NotImplementedError

    def __call__(self, images: Tensor) -> Tensor:
        """(B, C, H, W) float, gray levels 0..255 -> (B, C, height, width)."""
        flip = torch.rand(len(images), device=images.device) < self.flip_prob
        return self.cut(images, self.boxes(images), flip)


@TRANSFORMS.register_module()
class BatchRandomResizedCrop(_BoxTransform):
    """torchvision's RandomResizedCrop and RandomHorizontalFlip for a batch.

    Args:
        size: Side of the result in pixels, or (height, width).
        scale: Area of the crop as a share of the image, or one such pair for each
            stage; the last one holds for all later stages. Defaults to (0.2, 1), MAE's.
        ratio: Aspect ratio of the crop (width / height), drawn log-uniformly. Defaults
            to (3/4, 4/3).
        flip_prob: Probability of the flip. Defaults to 0.5.
        interpolation: 'bicubic' (default) or 'bilinear'.

    Raises:
        UserError: if an argument is out of its range.
    """

    tries = 10  # torchvision's number, before it falls back to the central crop

    def __init__(
        self,
        size: int | Sequence[int],
        scale: Sequence[float] | Sequence[Sequence[float]] = (0.2, 1.0),
        ratio: tuple[float, float] = (3 / 4, 4 / 3),
        flip_prob: float = 0.5,
        interpolation: str = 'bicubic',
    ) -> None:
        super().__init__(size, flip_prob)
        several = isinstance(scale, list | tuple) and len(scale) > 0
        several = several and isinstance(scale[0], list | tuple)
        self.scales = list(scale) if several else [scale]
        check(
            all(
                isinstance(pair, list | tuple)
                and len(pair) == 2
                and 0 < pair[0] <= pair[1] <= 1
                for pair in self.scales
            ),
            f'scale={scale} must be two increasing shares of the area, at most 1, or '
            'a list of such pairs, one for each stage',
        )
        check(
            0 < ratio[0] <= ratio[1],
            f'ratio={ratio} must be two increasing positive numbers',
        )
        check(
            interpolation in FILTERS,
            f'unknown interpolation={interpolation!r}: choose one of {list(FILTERS)}',
        )
        self.scale, self.ratio, self.filter = self.scales[0], ratio, interpolation

    def start_stage(self, stage: int) -> None:
        """Draw the boxes of a stage, counted from 1."""
        self.scale = self.scales[min(stage, len(self.scales)) - 1]

    def cut(self, images: Tensor, boxes: Tensor, flip: Tensor) -> Tensor:
        return resample(images, boxes, self.size, flip, self.filter)

    def boxes(self, images: Tensor) -> Tensor:
        """Draw the boxes; each lies inside its image."""
        (b, _, h, w), device = images.shape, images.device
        # Draw all tries of all images at once and take the first that fits.
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
        # Filled on the device: a copy from the host would wait for it.
        central = [torch.full_like(first, side) for side in self._central_box(h, w)]
        fits = fits.any(dim=1)[:, None]
        return torch.where(fits, chosen, torch.stack(central, dim=1))

    def _central_box(self, h: int, w: int) -> list[int]:
        height, width = h, w
        if w / h < self.ratio[0]:
            height = round(w / self.ratio[0])
        elif w / h > self.ratio[1]:
            width = round(h * self.ratio[1])
        return [(h - height) // 2, (w - width) // 2, height, width]


@TRANSFORMS.register_module()
class BatchPadCrop(_BoxTransform):
    """torchvision's RandomCrop(size, padding) and RandomHorizontalFlip for a batch.

    Args:
        size: Side of the result in pixels, or (height, width).
        padding: Black pixels around the image. Defaults to 4.
        flip_prob: Probability of the flip. Defaults to 0.5.

    Raises:
        UserError: if an argument is out of its range, or the result is larger than the
            padded image.
    """

    def __init__(
        self, size: int | Sequence[int], padding: int = 4, flip_prob: float = 0.5
    ) -> None:
        super().__init__(size, flip_prob)
        check(padding >= 0, f'padding={padding} must not be negative')
        self.padding = padding

    def boxes(self, images: Tensor) -> Tensor:
        """Draw the boxes, which may reach into the padding."""
        (b, _, h, w), device, pad = images.shape, images.device, self.padding
        height, width = self.size
        rows, columns = h + 2 * pad - height, w + 2 * pad - width  # to choose from
        check(
            min(rows, columns) >= 0,
            f'BatchPadCrop: size={height}x{width} is larger than the padded image '
            f'({h + 2 * pad}x{w + 2 * pad}): choose a larger padding or smaller size',
        )
        top = torch.randint(rows + 1, (b,), device=device) - pad
        left = torch.randint(columns + 1, (b,), device=device) - pad
        # Filled on the device: a copy from the host would wait for it.
        sides = [torch.full_like(top, side) for side in self.size]
        return torch.stack([top, left, *sides], dim=1)

    def cut(self, images: Tensor, boxes: Tensor, flip: Tensor) -> Tensor:
        (height, width), device, pad = self.size, images.device, self.padding
        padded = functional.pad(images, [pad] * 4)
        rows = boxes[:, :1] + pad + torch.arange(height, device=device)  # (B, height)
        columns = torch.arange(width, device=device)
        columns = torch.where(flip[:, None], width - 1 - columns, columns)
        columns = columns + boxes[:, 1:2] + pad  # (B, width)
        index = rows[:, :, None] * padded.shape[3] + columns[:, None]
        index = index.flatten(1)[:, None].expand(-1, images.shape[1], -1)
        return padded.flatten(2).gather(2, index).unflatten(2, self.size)
