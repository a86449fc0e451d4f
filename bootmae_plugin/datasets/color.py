"""Color augmentation of a whole batch at once, on the device of the images."""

import torch
from mmpretrain.registry import TRANSFORMS
from torch import Tensor

from ..errors import check

LUMA = (0.2989, 0.587, 0.114)  # ITU-R 601-2, with torchvision's digits


def to_gray(images: Tensor) -> Tensor:
    """Return the luma (B, 1, H, W) of RGB images (B, 3, H, W)."""
    weights = zip(LUMA, images.unbind(1), strict=True)
    return sum(weight * channel for weight, channel in weights)[:, None]


def adjust(images: Tensor, brightness: Tensor, contrast: Tensor, saturation: Tensor):
    """Adjust brightness, then contrast, then saturation.

    Args:
        images: (B, 3, H, W) float, gray levels 0..255.
        brightness, contrast, saturation: (B,) factors; 1 changes nothing.

    Returns:
        (B, 3, H, W), limited to 0..255 after each step: torchvision's
        ``adjust_brightness``, ``adjust_contrast`` and ``adjust_saturation`` of float
        images.
    """

    def blend(other: Tensor | float, factor: Tensor) -> Tensor:
        factor = factor[:, None, None, None]
        return (factor * images + (1 - factor) * other).clamp(0, 255)

    images = blend(0.0, brightness)
    images = blend(to_gray(images).mean(dim=(1, 2, 3), keepdim=True), contrast)
    return blend(to_gray(images), saturation)


@TRANSFORMS.register_module()
class BatchColorJitter:
    """torchvision's ColorJitter, without hue, and RandomGrayscale for a batch.

    Every image has its own factors. torchvision draws the order of the three
    adjustments; here it is fixed, so that a batch needs one pass.

    Args:
        brightness, contrast, saturation: A factor is uniform in [max(0, 1 - x), 1 + x].
            Default to SimCLR's values for CIFAR-10, 0.4.
        prob: Probability that an image is adjusted. Defaults to 0.8 (SimCLR).
        gray_prob: Probability that an image becomes gray. Defaults to 0.2 (SimCLR).

    Raises:
        UserError: if an argument is out of its range, or images are not RGB.
    """

    def __init__(
        self,
        brightness: float = 0.4,
        contrast: float = 0.4,
        saturation: float = 0.4,
        prob: float = 0.8,
        gray_prob: float = 0.2,
    ) -> None:
        strengths = (brightness, contrast, saturation)
        check(
            min(strengths) >= 0,
            f'brightness, contrast and saturation {strengths} must not be negative',
        )
        check(
            0 <= prob <= 1 and 0 <= gray_prob <= 1,
            f'prob={prob} and gray_prob={gray_prob} must lie between 0 and 1',
        )
        self.strengths, self.prob, self.gray_prob = strengths, prob, gray_prob

    def factors(self, images: Tensor) -> list[Tensor]:
        """Draw the three factors, (B,) each; 1 for images that are not adjusted."""
        u = torch.rand(4, len(images), device=images.device)
        chosen = u[3] < self.prob
        factors = []
        for strength, share in zip(self.strengths, u, strict=False):
            low, high = max(0.0, 1 - strength), 1 + strength
            factors.append(torch.where(chosen, low + share * (high - low), 1.0))
        return factors

    def __call__(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) float, gray levels 0..255 -> the same shape and range."""
        check(
            images.shape[1] == 3,
            f'BatchColorJitter needs RGB images, got {images.shape[1]} channels: unset '
            'data_preprocessor.color',
        )
        # mmengine preprocesses under autocast; the means need float32.
        with torch.autocast(images.device.type, enabled=False):
            images = adjust(images, *self.factors(images))
            gray = torch.rand(len(images), device=images.device) < self.gray_prob
            return torch.where(gray[:, None, None, None], to_gray(images), images)
