"""Masks: which patches the encoder sees, as two index tensors."""

import math
from collections.abc import Sequence
from copy import deepcopy
from typing import NamedTuple

import torch
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from ..errors import check


class Mask(NamedTuple):
    """Visible and masked patches of a batch, the same number of each in every sample.

    The order of the indices has no meaning.

    Attributes:
        ids_keep: (B, K) int64, raster indices of the visible patches.
        ids_mask: (B, M) int64, raster indices of the masked patches; K + M = L.
        chosen: (B, P) int64, the masked patches that the decoder predicts. Defaults to
            None: all of them.
    """

    ids_keep: Tensor
    ids_mask: Tensor
    chosen: Tensor | None = None

    @property
    def ids_predict(self) -> Tensor:
        """(B, P) int64, raster indices of the patches that the decoder predicts."""
        return self.ids_mask if self.chosen is None else self.chosen

    def dense(self) -> Tensor:
        """Return (B, L) bool, True where a patch is masked."""
        length = self.ids_keep.shape[1] + self.ids_mask.shape[1]
        dense = self.ids_mask.new_zeros(len(self.ids_mask), length, dtype=torch.bool)
        return dense.scatter(1, self.ids_mask, True)

    @classmethod
    def from_dense(cls, dense: Tensor, num_masked: int | None = None) -> 'Mask':
        """Convert (B, L) bool, True where a patch is masked; indices in raster order.

        Args:
            dense: (B, L) bool with the same number of masked patches in every row.
            num_masked: That number. Defaults to None: the rows are counted and checked,
                which makes a GPU wait.

        Raises:
            UserError: if the rows have different numbers of masked patches.
        """
        if num_masked is None:
            counts = dense.sum(dim=1).tolist()
            num_masked = counts[0]
            check(
                min(counts) == max(counts),
                f'a mask needs the same number of masked patches in every sample, got '
                f'{min(counts)} to {max(counts)}',
            )
        order = dense.int().argsort(dim=1, stable=True)  # visible patches first
        keep = dense.shape[1] - num_masked
        return cls(order[:, :keep], order[:, keep:])


class Masking(nn.Module):
    """Base class: mask a share of the patches, the same number in every sample.

    A subclass implements ``forward``. It should read nothing back from the device,
    which would make a GPU wait in every step.

    Args:
        mask_ratio: Share of the patches that is masked, or one share for each stage;
            the last one holds for all later stages. Defaults to 0.75.

    Raises:
        UserError: if a ratio is not between 0 and 1.
    """

    def __init__(self, mask_ratio: float | Sequence[float] = 0.75) -> None:
        super().__init__()
        several = isinstance(mask_ratio, list | tuple) and len(mask_ratio) > 0
        self.ratios = list(mask_ratio) if several else [mask_ratio]
        for ratio in self.ratios:
            self.check_ratio(ratio)
        self.mask_ratio = self.ratios[0]

    def start_stage(self, stage: int) -> None:
        """Mask the share of a stage, counted from 1."""
        self.mask_ratio = self.ratios[min(stage, len(self.ratios)) - 1]

    def check_ratio(self, mask_ratio: float) -> None:
        """Raise UserError if this kind of mask cannot have such a ratio."""
        check(
            isinstance(mask_ratio, int | float) and 0 < mask_ratio < 1,
            f'mask_ratio={mask_ratio} must lie between 0 and 1 (exclusive); '
            'MAE uses 0.75',
        )

    def with_ratio(self, mask_ratio: float) -> 'Masking':
        """Return a copy with another mask ratio and all other options kept.

        Raises:
            UserError: if this kind of mask cannot have such a ratio.
        """
        self.check_ratio(mask_ratio)
        other = deepcopy(self)
        other.mask_ratio, other.ratios = mask_ratio, [mask_ratio]
        return other

    def num_keep(self, num_patches: int) -> int:
        """Return the number of visible patches among ``num_patches``.

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
        """Raise UserError if this kind of mask does not fit a grid of patches.

        The algorithm calls it when a model is built.
        """
        for ratio in self.ratios:
            self.with_ratio(ratio).num_keep(grid[0] * grid[1])

    def forward(
        self, batch_size: int, grid: tuple[int, int], device: torch.device
    ) -> Mask:
        """Draw the masks of a batch.

        Args:
            batch_size: B, the number of masks.
            grid: Patches as (rows, columns).
            device: Device of the indices.
        """
        raise NotImplementedError


@MODELS.register_module()
class RandomMasking(Masking):
    """Mask patches uniformly at random (MAE, section 3).

    Args:
        mask_ratio: See :class:`Masking`. Defaults to 0.75.
    """

    def forward(
        self, batch_size: int, grid: tuple[int, int], device: torch.device
    ) -> Mask:
        rows, cols = grid
        return self.from_noise(torch.rand(batch_size, rows * cols, device=device))

    def from_noise(self, noise: Tensor) -> Mask:
        """Keep the patches with the smallest ``noise`` (B, L) visible, in its order."""
        keep = self.num_keep(noise.shape[1])
        order = noise.argsort(dim=1)
        return Mask(order[:, :keep], order[:, keep:])


@MODELS.register_module()
class GridMasking(Masking):
    """Keep one random patch visible in every cell of c x c patches (JAX MAE report).

    Args:
        mask_ratio: 1 - 1/c^2 for an integer c: 0.75 (2x2 cells, default), 8/9, 15/16.

    Raises:
        UserError: if mask_ratio is not of this form.
    """

    @property
    def cell(self) -> int:
        """Patches along a side of a cell."""
        return round((1 - self.mask_ratio) ** -0.5)

    def check_ratio(self, mask_ratio: float) -> None:
        super().check_ratio(mask_ratio)
        cell = round((1 - mask_ratio) ** -0.5)
        check(
            cell > 1 and abs(1 - 1 / cell**2 - mask_ratio) < 1e-3,
            f'mask_ratio={mask_ratio} does not fit grid masking, which keeps one patch '
            'of every c x c visible: choose 0.75, 0.8889 or 0.9375',
        )

    def num_keep(self, num_patches: int) -> int:
        return num_patches // self.cell**2

    def check_grid(self, grid: tuple[int, int]) -> None:
        rows, cols = grid
        for cell in (self.with_ratio(ratio).cell for ratio in self.ratios):
            check(
                rows % cell == 0 and cols % cell == 0,
                f'grid masking needs a patch grid divisible by its {cell}x{cell} '
                f'cells, got {rows}x{cols} patches: change img_size or patch_size',
            )

    def forward(
        self, batch_size: int, grid: tuple[int, int], device: torch.device
    ) -> Mask:
        (rows, cols), c = grid, self.cell
        cells = (batch_size, rows // c, cols // c)
        visible = torch.randint(c * c, cells, device=device)[..., None]
        dense = torch.arange(c * c, device=device) != visible  # (B, rows/c, cols/c, c²)
        dense = dense.unflatten(-1, (c, c)).transpose(2, 3).reshape(batch_size, -1)
        return Mask.from_dense(dense, rows * cols - self.num_keep(rows * cols))


@MODELS.register_module()
class BlockMasking(Masking):
    """Mask rectangular blocks, as BEiT does, with an exact count (BootMAE).

    Blocks are placed until the count is reached; the last block is cut to fit.

    Args:
        mask_ratio: See :class:`Masking`. Defaults to 0.75.
        min_area: Smallest area of a block in patches. Defaults to 16.
        max_area: Largest area of a block in patches. Defaults to 60.
        min_aspect: Smallest height over width; the aspect ratio is log-uniform between
            it and its inverse. Defaults to 0.3.
        scatter: Share of the masked patches that is drawn uniformly instead of in
            blocks; then the raster order is rolled by 0 to 3, too. The public code of
            BootMAE does both, with 0.18. Defaults to 0.

    Raises:
        UserError: if an option is out of range.
    """

    def __init__(
        self,
        mask_ratio: float | Sequence[float] = 0.75,
        min_area: int = 16,
        max_area: int = 60,
        min_aspect: float = 0.3,
        scatter: float = 0.0,
    ) -> None:
        super().__init__(mask_ratio)
        check(
            0 < min_area <= max_area,
            f'min_area={min_area}, max_area={max_area}: both must be positive, and '
            'max_area at least min_area',
        )
        check(0 < min_aspect <= 1, f'min_aspect={min_aspect} must lie in (0, 1]')
        check(0 <= scatter < 1, f'scatter={scatter} must lie in [0, 1)')
        self.min_area, self.max_area = min_area, max_area
        self.log_aspect, self.scatter = -math.log(min_aspect), scatter

    def forward(
        self, batch_size: int, grid: tuple[int, int], device: torch.device
    ) -> Mask:
        num_patches = grid[0] * grid[1]
        masked = num_patches - self.num_keep(num_patches)
        in_blocks = round(masked * (1 - self.scatter))
        order = self.block_order(batch_size, grid, in_blocks, device)
        if self.scatter:
            blocks, rest = order.tensor_split([in_blocks], dim=1)
            shuffled = torch.rand(rest.shape, device=device).argsort(dim=1)
            roll = torch.randint(4, (batch_size, 1), device=device)
            order = torch.cat([blocks, rest.gather(1, shuffled)], dim=1)
            order = (order + roll) % num_patches
        return Mask(order[:, masked:], order[:, :masked])

    def num_blocks(self, num_patches: int, count: int) -> int:
        """Return how many blocks to place so that they cover ``count`` patches.

        Blocks of mean area a that wrap around the border would leave a share of
        ``exp(-n * a / L)`` open after n blocks. Real blocks rarely reach the corners,
        which matters if few patches may stay open. The number suffices for 999 of 1000
        images (measured: ratios 0.1 to 0.97, grids of 4x4 to 32x32).
        """
        open_share = (num_patches - count + 0.5) / num_patches
        mean_area = (self.min_area + self.max_area) / 2
        mean_number = -math.log(open_share) * num_patches / mean_area
        return math.ceil(5 + 2 * mean_number + 5 / open_share)

    def block_order(
        self, batch_size: int, grid: tuple[int, int], count: int, device: torch.device
    ) -> Tensor:
        """Return (B, L) patch indices, in the order in which blocks cover them.

        The first ``count`` of each row are masked. The number of blocks is fixed,
        because a loop until the last sample is done would have to read from the device.
        Where the blocks cover too few patches, the others follow in random order.
        """
        rows, cols = grid
        num_blocks = self.num_blocks(rows * cols, count)
        draws = torch.rand(num_blocks, 4, batch_size, 1, device=device)
        log_aspect = (2 * draws[:, 0] - 1) * self.log_aspect
        # For a block of area a: height = sqrt(a * aspect), width = sqrt(a / aspect).
        stretch = torch.stack([log_aspect, -log_aspect], dim=1).div(2).exp()
        axis = torch.arange(max(grid), device=device)
        longest = torch.stack([draws.new_full((1, 1), n) for n in grid])  # (2, 1, 1)
        shortest = torch.ones_like(longest)
        is_open = axis.new_ones(batch_size, rows, cols, dtype=torch.bool)
        covered_by = is_open.new_zeros(is_open.shape, dtype=torch.int16)
        smallest = draws.new_full((batch_size, 1), self.min_area)
        left = draws.new_full((batch_size, 1), count)
        for i in range(num_blocks):  # BEiT, algorithm 1, for all samples at once
            largest = left.clamp(self.min_area, self.max_area)
            area = smallest.lerp(largest, draws[i, 1])
            size = (area.sqrt() * stretch[i]).round().clamp(shortest, longest)
            first = (draws[i, 2:] * (longest + 1 - size)).floor()  # row and column
            inside = (axis >= first) & (axis < first + size)  # (2, B, n)
            is_open &= ~(inside[0, :, :rows, None] & inside[1, :, None, :cols])
            covered_by += is_open  # in the end the index of the first covering block
            left = is_open.sum((1, 2))[:, None] - float(rows * cols - count)
        key = covered_by.flatten(1).float()
        key += is_open.flatten(1) * torch.rand(key.shape, device=device)
        return key.argsort(dim=1, stable=True)  # stable: the last block in raster order
