"""The base class of the teachers, whose features the student predicts."""

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from ..errors import check
from .normalization import normalize_images, normalize_tokens


class TargetGenerator(BaseModule):
    """Base class of the teachers: an encoder whose features are the target.

    A teacher is always in eval mode and gets no gradients. A subclass sets
    ``out_channels``, at the latest in ``attach``, and implements ``forward``.

    Args:
        blocks: Indices of the blocks whose outputs are the features, counted from 0; -1
            is the last. Defaults to None: the teacher's output.
        blocks_merge: 'concat' concatenates them, each layer-normalized (Bootleg);
            'mean' averages them, each instance-normalized (data2vec 2.0). Defaults to
            'concat'.

    Attributes:
        out_channels: Width D of the features.
    """

    out_channels: int

    def __init__(
        self, blocks: Sequence[int] | None = None, blocks_merge: str = 'concat'
    ) -> None:
        super().__init__()
        check(
            blocks_merge in ('concat', 'mean'),
            f"unknown blocks_merge={blocks_merge!r}: choose 'concat' or 'mean'",
        )
        check(blocks is None or len(blocks), 'blocks=[] names no block: set it to None')
        self.blocks, self.blocks_merge = blocks, blocks_merge

    def merge(self, outputs: Sequence[Tensor]) -> Tensor:
        """Merge the outputs of several blocks, (B, L, D) each, to the features."""
        if self.blocks_merge == 'concat':
            return torch.cat([normalize_tokens(x.float()) for x in outputs], dim=-1)
        return sum(normalize_images(x.float()) for x in outputs) / len(outputs)

    @property
    def moves(self) -> bool:
        """Whether the teacher changes within a stage: it does if it has an update."""
        return type(self).update is not TargetGenerator.update

    def attach(self, student: nn.Module) -> None:
        """Adapt to the student's encoder; called once, when the model is built."""

    def start_stage(self, student: nn.Module) -> None:
        """Take what the teacher needs from the student's encoder as a stage starts."""

    def update(
        self, student: nn.Module, epoch: int, max_epochs: int, batch_size: int
    ) -> None:
        """Follow the student's encoder; called after an optimizer step.

        It is called in stages with an active branch that uses the teacher.

        Args:
            student: The student's encoder.
            epoch: Current epoch, counted from 0.
            max_epochs: Epochs of the run.
            batch_size: Images of the step, those of all processes and accumulated
                batches.
        """

    def forward(self, images: Tensor) -> Tensor:
        """Return the features of every patch of the full image.

        Args:
            images: (B, C, H, W) normalized images.

        Returns:
            (B, L, D), patches in raster order.
        """
        raise NotImplementedError

    def train(self, mode: bool = True) -> 'TargetGenerator':
        """Stay in eval mode, whatever the mode of the model."""
        return super().train(False)
