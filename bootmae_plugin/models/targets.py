"""Where a target comes from, when it does not come from the image itself."""

from collections.abc import Sequence
from copy import deepcopy
from math import cos, pi

import torch
from mmengine.model import BaseModule
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from ..checkpoints.load import load_encoder, load_module
from ..errors import check
from .layers import Geometry


def _tensors(module: nn.Module) -> list[Tensor]:
    return [*module.parameters(), *module.buffers()]


class TargetGenerator(BaseModule):
    """Base of the teachers: an encoder whose features are predicted.

    A subclass sets ``out_channels`` (at the latest in ``attach``) and gives
    ``forward(images) -> (B, L, C)``, the features of every patch of the FULL image in
    raster order. A teacher is always in eval mode and never trained.
    """

    out_channels: int

    def attach(self, student: nn.Module) -> None:
        """Called once, with the student's encoder, when the model is built."""

    def start_stage(self, student: nn.Module) -> None:
        """Called with the student's encoder at every stage boundary."""

    def update(self, student: nn.Module, epoch: int, max_epochs: int) -> None:
        """Called after every optimiser step in which the teacher is used."""

    def train(self, mode: bool = True) -> 'TargetGenerator':
        return super().train(False)


@MODELS.register_module()
class StageEncoder(TargetGenerator):
    """The student's encoder as it stood at the end of the previous stage (MAE-K).

    It encodes the full image, all tokens, and gives the patch tokens.

    Args:
        final_norm: Give the tokens after the encoder's final norm (MAE-K), or as the
            last block leaves them (BootMAE). Defaults to True.
    """

    def __init__(self, final_norm: bool = True) -> None:
        super().__init__()
        self.final_norm = final_norm

    def attach(self, student: nn.Module) -> None:
        self.encoder = deepcopy(student).requires_grad_(False)
        self.encoder.init_cfg = None  # its weights come from the student alone
        self.out_channels = student.geometry.embed_dims
        self.train()

    @torch.no_grad()
    def start_stage(self, student: nn.Module) -> None:
        for own, theirs in zip(_tensors(self.encoder), _tensors(student), strict=True):
            own.copy_(theirs)  # not state_dict, which gathers a sharded model

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, L, embed_dims)."""
        last = self.encoder.num_layers - 1
        latent = self.encoder.encode(images, blocks=[last], patches_only=True)
        return latent.tokens if self.final_norm else latent.blocks[last]


@MODELS.register_module()
class EMAEncoder(StageEncoder):
    """A moving average of the student's encoder (MAE-EMA, BootMAE).

    With :class:`BootstrapHook` and ``boundaries=[E]`` it takes the student's weights at
    epoch E and follows it from there.

    Args:
        decay: Share of the old average that is kept in a step: one number; a sequence
            of (epoch, decay), linear in between and constant outside; or
            ``dict(start=a, end=b)``, half a cosine over the run (BYOL).
        final_norm: See :class:`StageEncoder`. Defaults to True.

    Raises:
        UserError: if a decay is outside [0, 1] or the epochs do not increase.
    """

    def __init__(
        self,
        decay: float | Sequence[tuple[float, float]] | dict = 0.999,
        final_norm: bool = True,
    ) -> None:
        super().__init__(final_norm)
        if isinstance(decay, dict):
            check(
                set(decay) == {'start', 'end'},
                f'decay={dict(decay)} needs the keys start and end',
            )
            values, epochs = [decay['start'], decay['end']], []
        elif isinstance(decay, Sequence):
            epochs, values = zip(*decay, strict=True)
        else:
            epochs, values = [0], [decay]
            decay = [(0, decay)]
        check(
            all(0 <= value <= 1 for value in values),
            f'decay={decay}: a decay must lie between 0 and 1, as 0.999',
        )
        check(
            list(epochs) == sorted(set(epochs)),
            f'decay={decay}: the epochs of its points must increase',
        )
        self.decay = decay

    def decay_at(self, epoch: float, max_epochs: int) -> float:
        """The decay in an epoch, counted from 0."""
        if isinstance(self.decay, dict):
            start, end = self.decay['start'], self.decay['end']
            return end - (end - start) * 0.5 * (1 + cos(pi * epoch / max_epochs))
        before = max((p for p in self.decay if p[0] <= epoch), default=self.decay[0])
        after = min((p for p in self.decay if p[0] > epoch), default=before)
        if after[0] <= before[0]:
            return before[1]
        share = (epoch - before[0]) / (after[0] - before[0])
        return before[1] + max(share, 0.0) * (after[1] - before[1])

    @torch.no_grad()
    def update(self, student: nn.Module, epoch: int, max_epochs: int) -> None:
        weight = 1 - self.decay_at(epoch, max_epochs)
        own = list(self.encoder.parameters())
        torch._foreach_lerp_(own, list(student.parameters()), weight)


@MODELS.register_module()
class PretrainedEncoder(TargetGenerator):
    """Another, pretrained backbone, frozen (feature MAE).

    Args:
        backbone: Config of any backbone of mmpretrain (or timm's, as
            ``mmpretrain.TIMMBackbone``) that gives a feature map (B, C, rows, cols), or
            tokens with the patches last. Set ``out_type='featmap'`` where it has one.
        checkpoint: Its weights. Defaults to None: the backbone brings its own
            (``pretrained=True``).
        prefix: Where they stand in the checkpoint. Defaults to None: found.

    Raises:
        UserError: if its grid is not the student's, or the checkpoint does not match.
    """

    def __init__(
        self,
        backbone: dict,
        checkpoint: str | None = None,
        prefix: str | None = None,
    ) -> None:
        super().__init__()
        self.encoder = MODELS.build(backbone)
        self.encoder.requires_grad_(False)
        if checkpoint is not None:
            load = load_encoder if hasattr(self.encoder, 'geometry') else load_module
            load(self.encoder, checkpoint, prefix)
        self.train()

    def attach(self, student: nn.Module) -> None:
        geometry: Geometry = student.geometry
        self.num_patches = geometry.num_patches
        size = (1, geometry.in_channels, *geometry.img_size)
        features = self._features(torch.zeros(size))
        rows, cols = geometry.grid
        check(
            features.shape[1] == self.num_patches,
            f'the teacher {type(self.encoder).__name__} gives {features.shape[1]} '
            f'patch features of an image of {geometry.img_size}, the student has '
            f'{rows}x{cols} = {self.num_patches} patches: choose a teacher with the '
            "student's grid, or another img_size or patch_size",
        )
        self.out_channels = features.shape[2]

    def _features(self, images: Tensor) -> Tensor:
        features = self.encoder(images)
        while isinstance(features, tuple | list):
            features = features[-1]
        if features.ndim == 4:
            return features.flatten(2).transpose(1, 2)
        check(
            features.ndim == 3,
            f'the teacher {type(self.encoder).__name__} gives features of shape '
            f"{tuple(features.shape)}: set out_type='featmap' on it",
        )
        return features[:, -self.num_patches :]

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, L, out_channels)."""
        return self._features(images)
