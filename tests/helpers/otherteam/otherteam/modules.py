"""A teacher and a mask of their own."""

import torch
from mmpretrain.registry import MODELS

from bootmae_plugin.models import RandomMasking, TargetGenerator


@MODELS.register_module()
class MeanColour(TargetGenerator):
    """The mean colour of every patch."""

    out_channels = 3

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer('calls', torch.tensor(0))

    def attach(self, student) -> None:
        self.grid = student.geometry.grid

    def forward(self, images):
        self.calls += 1
        means = torch.nn.functional.adaptive_avg_pool2d(images, self.grid)
        return means.flatten(2).transpose(1, 2)  # (B, L, 3)


@MODELS.register_module()
class ColumnMasking(RandomMasking):
    """Whole columns of patches, drawn anew for every sample."""

    def __init__(self, mask_ratio: float) -> None:
        super().__init__(mask_ratio)
        self.register_buffer('calls', torch.tensor(0))

    def forward(self, batch_size, grid, device):
        self.calls += 1
        noise = torch.rand(batch_size, 1, grid[1], device=device)
        return self.from_noise(noise.expand(-1, grid[0], -1).flatten(1))
