"""The teacher of a stage: the encoder that the stage before ended with."""

from copy import deepcopy

import torch
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from .generator import TargetGenerator


@MODELS.register_module()
class StageEncoder(TargetGenerator):
    """The student's encoder as it was at the end of the previous stage (MAE-K).

    It encodes the full image with all extra tokens, and returns the patch tokens.

    Args:
        final_norm: Return the tokens after the encoder's final norm (MAE-K). False
            returns the output of the last block (BootMAE). It has no effect on
            ``blocks``. Defaults to True.
        **kwargs: ``blocks`` and ``blocks_merge``, see :class:`TargetGenerator`.
    """

    def __init__(self, final_norm: bool = True, **kwargs) -> None:
        super().__init__(**kwargs)
        self.final_norm = final_norm

    def attach(self, student: nn.Module) -> None:
        """Copy the student's encoder."""
        self.encoder = deepcopy(student).requires_grad_(False)
        self.encoder.init_cfg = None  # its weights come from the student alone
        self.out_channels = student.geometry.embed_dims
        if self.blocks is not None:
            self.blocks = student.geometry.resolve_blocks(self.blocks, 'blocks')
            if self.blocks_merge == 'concat':
                self.out_channels *= len(self.blocks)
        self.train()

    @torch.no_grad()
    def start_stage(self, student: nn.Module) -> None:
        """Take the student's weights."""
        # Both encoders have the same tensors in the same order.
        both = ([*m.parameters(), *m.buffers()] for m in (self.encoder, student))
        for own, new in zip(*both, strict=True):
            own.copy_(new)

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        last = self.encoder.num_layers - 1
        blocks = self.blocks or [last]
        latent = self.encoder.encode(images, blocks=blocks, patches_only=True)
        if self.blocks:
            num_patches = latent.tokens.shape[1]
            return self.merge([latent.blocks[i][:, -num_patches:] for i in blocks])
        return latent.tokens if self.final_norm else latent.blocks[last]
