"""Where a target comes from, when it does not come from the image itself."""

from copy import deepcopy

import torch
from mmengine.model import BaseModule
from mmpretrain.registry import MODELS
from torch import Tensor, nn


class TargetGenerator(BaseModule):
    """Base of the teachers: an encoder whose features are predicted.

    A subclass sets ``out_channels`` and gives ``forward(images) -> (B, L, C)``, the
    features of every patch of the FULL image in raster order. Override ``attach`` to
    look at the student once it is built, ``start_stage`` to follow it at a stage's
    beginning. A teacher is always in eval mode and never trained.
    """

    out_channels: int

    def attach(self, student: nn.Module) -> None:
        """Called once, with the student's encoder, when the model is built."""

    def start_stage(self, student: nn.Module) -> None:
        """Called with the student's encoder at every stage boundary."""

    def train(self, mode: bool = True) -> 'TargetGenerator':
        return super().train(False)


@MODELS.register_module()
class StageEncoder(TargetGenerator):
    """The student's encoder as it stood at the end of the previous stage (MAE-K).

    It encodes the full image, all tokens, and gives the patch tokens after the final
    norm; the extra tokens are dropped.
    """

    def attach(self, student: nn.Module) -> None:
        self.encoder = deepcopy(student).requires_grad_(False)
        self.encoder.init_cfg = None  # its weights come from the student alone
        self.out_channels = student.geometry.embed_dims
        self.train()

    @torch.no_grad()
    def start_stage(self, student: nn.Module) -> None:
        self.encoder.load_state_dict(student.state_dict())

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, L, embed_dims)."""
        return self.encoder.encode(images)[:, self.encoder.num_extra_tokens :]
