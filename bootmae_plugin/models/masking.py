"""Which patches the encoder sees: a mask is two index tensors."""

import math
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
        chosen: (B, P) int64, those of the masked patches that are predicted. Defaults
            to None: all.
    """

    ids_keep: Tensor
    ids_mask: Tensor
    chosen: Tensor | None = None

    @property
    def ids_predict(self) -> Tensor:
        """(B, P) int64, raster indices of the patches that are predicted."""
        return self.ids_mask if self.chosen is None else self.chosen

    def dense(self) -> Tensor:
        """(B, L) bool, True where a patch is masked."""
        length = self.ids_keep.shape[1] + self.ids_mask.shape[1]
        dense = self.ids_mask.new_zeros(len(self.ids_mask), length, dtype=torch.bool)
        return dense.scatter(1, self.ids_mask, True)

    @classmethod
    def from_dense(cls, dense: Tensor) -> 'Mask':
        """From (B, L) bool with the same number of masked patches in every row."""
        counts = dense.sum(dim=1)
        masked = int(counts[0])
        check(
            bool((counts == masked).all()),
            f'a mask needs the same number of masked patches in every sample, got '
            f'{int(counts.min())} to {int(counts.max())}',
        )
        order = dense.int().argsort(dim=1, stable=True)  # visible first, raster order
        keep = dense.shape[1] - masked
        return cls(order[:, :keep], order[:, keep:])


class Masking(nn.Module):
    """Base: a share of the patches is masked, the same number in every sample.

    A subclass gives ``forward(batch_size, grid, device) -> Mask``, and draws with the
    generator of ``device``.

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

    def check_grid(self, grid: tuple[int, int]) -> None:
        """Check that masks of this kind exist on a grid; called when a model is built.

        Raises:
            UserError: if they do not.
        """
        self.num_keep(grid[0] * grid[1])

    def forward(
        self, batch_size: int, grid: tuple[int, int], device: torch.device
    ) -> Mask:
        """Draw the masks of a batch."""
        raise NotImplementedError


@MODELS.register_module()
class RandomMasking(Masking):
    """Uniformly random patches, drawn anew for every sample (MAE, section 3).

    Args:
        mask_ratio: Share of the patches that is masked. Defaults to 0.75.
    """

    def forward(
        self, batch_size: int, grid: tuple[int, int], device: torch.device
    ) -> Mask:
        rows, cols = grid
        return self.from_noise(torch.rand(batch_size, rows * cols, device=device))

    def from_noise(self, noise: Tensor) -> Mask:
        """The patches with the smallest ``noise`` (B, L) stay visible, in its order."""
        keep = self.num_keep(noise.shape[1])
        order = noise.argsort(dim=1)
        return Mask(order[:, :keep], order[:, keep:])


@MODELS.register_module()
class GridMasking(Masking):
    """One visible patch, at random, in every cell of c x c patches (JAX MAE report).

    Args:
        mask_ratio: 1 - 1/c^2 for a whole c: 0.75 (2x2 cells, default), 8/9, 15/16.
    """

    def __init__(self, mask_ratio: float = 0.75) -> None:
        super().__init__(mask_ratio)
        self.cell = round((1 - mask_ratio) ** -0.5)
        exact = 1 - 1 / self.cell**2
        check(
            self.cell > 1 and abs(exact - mask_ratio) < 1e-3,
            f'mask_ratio={mask_ratio} is not one of grid masking, which keeps one '
            'patch of every c x c: choose 0.75, 0.8889 or 0.9375',
        )

    def num_keep(self, num_patches: int) -> int:
        return num_patches // self.cell**2

    def check_grid(self, grid: tuple[int, int]) -> None:
        rows, cols = grid
        check(
            rows % self.cell == 0 and cols % self.cell == 0,
            f'grid masking needs a patch grid divisible by its {self.cell}x{self.cell} '
            f'cells, got {rows}x{cols} patches: change img_size or patch_size',
        )

    def forward(
        self, batch_size: int, grid: tuple[int, int], device: torch.device
    ) -> Mask:
        (rows, cols), c = grid, self.cell
        cells = (batch_size, rows // c, cols // c)
        kept = torch.randint(c * c, cells, device=device)[..., None]  # place in a cell
        dense = torch.arange(c * c, device=device) != kept  # (B, rows/c, cols/c, c*c)
        dense = dense.unflatten(-1, (c, c)).transpose(2, 3)
        return Mask.from_dense(dense.reshape(batch_size, -1))


@MODELS.register_module()
class BlockMasking(Masking):
    """BEiT's rectangular blocks with an exact count (BootMAE), for a batch at once.

    Blocks are drawn until the count is reached; the last one is cut to fit.

    Args:
        mask_ratio: Share of the patches that is masked. Defaults to 0.75.
        min_area: Least patches of a block. Defaults to 16.
        max_area: Most patches of a block. Defaults to 60.
        min_aspect: Least height over width, drawn log-uniformly up to its inverse.
            Defaults to 0.3.
        scatter: Share of the masked patches that is scattered instead, uniformly. The
            public code of BootMAE reaches 147 of 196 patches with about 120 in blocks
            (0.18), and rolls the raster order by 0 to 3. Defaults to 0.
    """

    def __init__(
        self,
        mask_ratio: float = 0.75,
        min_area: int = 16,
        max_area: int = 60,
        min_aspect: float = 0.3,
        scatter: float = 0.0,
    ) -> None:
        super().__init__(mask_ratio)
        check(
            0 < min_area <= max_area,
            f'min_area={min_area}, max_area={max_area} must be positive, increasing',
        )
        check(0 < min_aspect <= 1, f'min_aspect={min_aspect} must lie in (0, 1]')
        check(0 <= scatter < 1, f'scatter={scatter} must lie in [0, 1)')
        self.min_area, self.max_area = min_area, max_area
        self.log_aspect, self.scatter = -math.log(min_aspect), scatter

    def forward(
        self, batch_size: int, grid: tuple[int, int], device: torch.device
    ) -> Mask:
        rows, cols = grid
        masked = rows * cols - self.num_keep(rows * cols)
        in_blocks = round(masked * (1 - self.scatter))
        dense = self._blocks(batch_size, grid, in_blocks, device)
        if self.scatter:
            dense = self._scatter(dense, masked)
        return Mask.from_dense(dense)

    def _blocks(
        self, batch_size: int, grid: tuple[int, int], count: int, device: torch.device
    ) -> Tensor:
        """(B, L) bool with ``count`` patches of each sample in blocks."""
        rows, cols = grid
        row = torch.arange(rows, device=device)[None, :, None]
        col = torch.arange(cols, device=device)[None, None, :]
        dense = torch.zeros(batch_size, rows * cols, dtype=torch.bool, device=device)
        left = torch.full((batch_size,), count, device=device)
        while bool((left > 0).any()):
            u = torch.rand(4, batch_size, device=device)
            largest = left.clamp(max=self.max_area).clamp(min=self.min_area)
            area = self.min_area + u[0] * (largest - self.min_area)
            aspect = torch.exp((2 * u[1] - 1) * self.log_aspect)
            height = (area * aspect).sqrt().round().long().clamp(1, rows)
            width = (area / aspect).sqrt().round().long().clamp(1, cols)
            top = (u[2] * (rows - height + 1)).long()
            start = (u[3] * (cols - width + 1)).long()
            top, start, height, width = (
                t[:, None, None] for t in (top, start, height, width)
            )
            block = (row >= top) & (row < top + height)
            block = block & (col >= start) & (col < start + width)
            new = block.flatten(1) & ~dense
            new &= new.cumsum(dim=1) <= left[:, None]  # the last block is cut to fit
            dense |= new
            left = left - new.sum(dim=1)
        return dense

    def _scatter(self, dense: Tensor, count: int) -> Tensor:
        """Mask further patches at random up to ``count``; roll by 0 to 3."""
        noise = torch.rand(dense.shape, device=dense.device) + dense
        order = noise.argsort(dim=1, descending=True)  # the blocks come first
        full = torch.zeros_like(dense).scatter(1, order[:, :count], True)
        roll = torch.randint(4, (len(dense), 1), device=dense.device)
        place = torch.arange(dense.shape[1], device=dense.device)
        return full.gather(1, (place - roll) % dense.shape[1])
