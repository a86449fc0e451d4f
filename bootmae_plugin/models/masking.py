"""Which patches the encoder sees: a mask is two index tensors."""

from typing import NamedTuple

import torch
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from ..errors import check


class Mask(NamedTuple):
    """Visible and masked patches; the same numbers of each for every sample.

    Attributes:
        ids_keep: (B, K) int64, raster indices of the visible patches.
        ids_mask: (B, M) int64, raster indices of the masked patches; K + M = L.
    """

    ids_keep: Tensor
    ids_mask: Tensor

    def dense(self) -> Tensor:
        """(B, L) bool, True where a patch is masked."""
        length = self.ids_keep.shape[1] + self.ids_mask.shape[1]
        dense = self.ids_mask.new_zeros(len(self.ids_mask), length, dtype=torch.bool)
        return dense.scatter(1, self.ids_mask, True)


@MODELS.register_module()
class RandomMasking(nn.Module):
    """Uniformly random patches, drawn anew for every sample (MAE, section 3).

    Args:
        mask_ratio: Share of the patches that is masked. Defaults to 0.75.
    """

    def __init__(self, mask_ratio: float = 0.75) -> None:
        super().__init__()
        check(
            0 < mask_ratio < 1,
            f'mask_ratio={mask_ratio} must lie between 0 and 1 (exclusive); '
            'MAE uses 0.75',
        )
        self.mask_ratio = mask_ratio

    def num_keep(self, num_patches: int) -> int:
        """Visible patches among ``num_patches``.

        Raises:
            UserError: if no patch would be visible, or none masked.
        """
        keep = int(num_patches * (1 - self.mask_ratio))  # rounding of the official code
        check(
            0 < keep < num_patches,
            f'mask_ratio={self.mask_ratio} leaves {keep} of {num_patches} patches '
            'visible; at least one must be visible and one masked: '
            'change mask_ratio or patch_size',
        )
        return keep

    def forward(
        self, batch_size: int, grid: tuple[int, int], device: torch.device
    ) -> Mask:
        """Draw masks with the generator of ``device``."""
        rows, cols = grid
        return self.from_noise(torch.rand(batch_size, rows * cols, device=device))

    def from_noise(self, noise: Tensor) -> Mask:
        """The patches with the smallest ``noise`` (B, L) stay visible, in its order."""
        keep = self.num_keep(noise.shape[1])
        order = noise.argsort(dim=1)
        return Mask(order[:, :keep], order[:, keep:])
