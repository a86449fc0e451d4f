"""Heads: the prediction layer of a branch, its target's normalisation, and the loss."""

import torch
import torch.nn.functional as F
from mmengine import dist
from mmengine.model import BaseModule
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from ..errors import check
from .layers import Geometry, gather_tokens, init_transformer
from .masking import Mask


class BranchHead(BaseModule):
    """Base of the heads: one branch of the algorithm.

    Args:
        in_channels: Width of the decoder's output (the algorithm gives it).
        out_channels: Width of the prediction.
        first_stage: Stage in which the branch starts. Defaults to 1.
        last_stage: Last stage in which it is trained. Defaults to None: all.
    """

    uses_teacher = False  # its target: the teacher's features, or else the images

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        first_stage: int = 1,
        last_stage: int | None = None,
    ) -> None:
        super().__init__()
        self.first_stage, self.last_stage = first_stage, last_stage
        self.pred = nn.Linear(in_channels, out_channels)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start the prediction layer afresh."""
        self.apply(init_transformer)

    def active(self, stage: int) -> bool:
        """Whether the branch is trained in this stage, counted from 1."""
        return self.first_stage <= stage <= (self.last_stage or stage)

    def start_stage(self, stage: int) -> None:
        """Prepare for a stage; the prediction layer is new where the branch starts."""
        if stage == self.first_stage:
            self.reset_parameters()

    def loss(self, x: Tensor, source: Tensor, mask: Mask) -> dict[str, Tensor]:
        """Compare the masked positions with their target.

        Args:
            x: (B, M, in_channels) decoded masked tokens.
            source: The images (B, C, H, W), or the teacher's features (B, L, D).
            mask: The mask of the step.

        Returns:
            ``loss`` and what else is worth logging.
        """
        raise NotImplementedError


def patchify(images: Tensor, patch_size: int) -> Tensor:
    """(B, C, H, W) -> (B, L, p * p * C), channels last within a patch as in MAE."""
    b, c, h, w = images.shape
    p = patch_size
    x = images.reshape(b, c, h // p, p, w // p, p)
    return x.permute(0, 2, 4, 3, 5, 1).reshape(b, -1, p * p * c)


def unpatchify(patches: Tensor, grid: tuple[int, int], patch_size: int) -> Tensor:
    """Inverse of :func:`patchify`: (B, L, p * p * C) -> (B, C, H, W)."""
    rows, cols = grid
    p = patch_size
    x = patches.reshape(len(patches), rows, cols, p, p, -1)
    return x.permute(0, 5, 1, 3, 2, 4).reshape(len(patches), -1, rows * p, cols * p)


@MODELS.register_module()
class PixelHead(BranchHead):
    """Pixels of the masked patches, mean squared error (MAE, section 3).

    Args:
        in_channels: Width of the decoder's output.
        geometry: The encoder's geometry.
        norm_pix: Normalise each target patch by its mean and unbiased variance
            (MAE, 'normalized pixel values'). Defaults to True.
        target_channels: Not used; every head is offered the teacher's width.
        **kwargs: See :class:`BranchHead`.
    """

    def __init__(
        self,
        in_channels: int,
        geometry: Geometry,
        norm_pix: bool = True,
        target_channels: int | None = None,
        **kwargs,
    ) -> None:
        self.patch_size, self.norm_pix = geometry.patch_size, norm_pix
        super().__init__(
            in_channels, geometry.patch_size**2 * geometry.in_channels, **kwargs
        )

    def target(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Target patches (B, L, p * p * C), and the mean and std taken out of them."""
        patches = patchify(images, self.patch_size)
        mean, std = patches.new_zeros(1), patches.new_ones(1)
        if self.norm_pix:
            mean = patches.mean(dim=-1, keepdim=True)
            std = (patches.var(dim=-1, keepdim=True) + 1e-6).sqrt()
        return (patches - mean) / std, mean, std

    def loss(self, x: Tensor, source: Tensor, mask: Mask) -> dict[str, Tensor]:
        target = gather_tokens(self.target(source)[0], mask.ids_mask)
        return dict(loss=F.mse_loss(self.pred(x).float(), target))


class PositionNorm(nn.Module):
    """Centre features per position, scale them per channel, over the whole data set.

    Cumulative averages over the steps since the last reset, over all ranks; once
    ``1 / steps`` falls below ``momentum`` they become exponential, which follows a
    teacher that moves. Eval mode uses them without updating.

    Args:
        num_positions: L.
        channels: D.
        momentum: Least weight of a new batch. Defaults to 0.01.
    """

    def __init__(
        self, num_positions: int, channels: int, momentum: float = 0.01
    ) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer('mean', torch.zeros(num_positions, channels))
        self.register_buffer('var', torch.ones(channels))
        self.register_buffer('steps', torch.zeros((), dtype=torch.long))

    def reset(self) -> None:
        """Forget the statistics: the teacher has changed."""
        self.mean.zero_()
        self.var.fill_(1)
        self.steps.zero_()

    def _average(self, x: Tensor) -> Tensor:
        """Mean over the batch and the ranks, which hold batches of one size."""
        x = x.mean(dim=0)
        dist.all_reduce(x, 'mean')  # in place; nothing to do in one process
        return x

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, D) -> (B, L, D)."""
        if self.training:
            self.steps += 1
            weight = (1 / self.steps.float()).clamp(min=self.momentum)
            self.mean.lerp_(self._average(x), weight)
            spread = self._average((x - self.mean).square().mean(dim=1))
            self.var.lerp_(spread, weight)
        return (x - self.mean) / (self.var + 1e-6).sqrt()


@MODELS.register_module()
class FeatureHead(BranchHead):
    """The teacher's features of the masked patches, mean squared error.

    A raw or layer-normalised feature is for the most part a constant and its position,
    which says nothing of the image; ``target_norm`` chooses what is taken out of it.

    Args:
        in_channels: Width of the decoder's output.
        geometry: The encoder's geometry.
        target_channels: Width of the teacher's features.
        target_norm: 'none'; 'layer' (each token over its channels); 'instance' (each
            channel over the tokens of an image); 'position' (:class:`PositionNorm`).
            Defaults to 'position'.
        **kwargs: See :class:`BranchHead`.
    """

    uses_teacher = True

    def __init__(
        self,
        in_channels: int,
        geometry: Geometry,
        target_channels: int | None = None,
        target_norm: str = 'position',
        **kwargs,
    ) -> None:
        check(
            target_channels is not None,
            'FeatureHead needs a teacher: set model.target_generator (StageEncoder, '
            'or one of your own with out_channels), or head target_channels',
        )
        norms = ('none', 'layer', 'instance', 'position')
        check(
            target_norm in norms,
            f'unknown target_norm={target_norm!r}: choose one of {norms}',
        )
        self.target_norm = target_norm
        super().__init__(in_channels, target_channels, **kwargs)
        if target_norm == 'position':
            self.position_norm = PositionNorm(geometry.num_patches, target_channels)

    def start_stage(self, stage: int) -> None:
        super().start_stage(stage)
        if self.target_norm == 'position':
            self.position_norm.reset()

    def target(self, features: Tensor) -> Tensor:
        """Normalise the teacher's features (B, L, D)."""
        if self.target_norm == 'layer':
            return F.layer_norm(features, features.shape[-1:], eps=1e-6)
        if self.target_norm == 'instance':
            var, mean = torch.var_mean(features, dim=1, keepdim=True, correction=0)
            return (features - mean) / (var + 1e-6).sqrt()
        if self.target_norm == 'position':
            return self.position_norm(features)
        return features

    def loss(self, x: Tensor, source: Tensor, mask: Mask) -> dict[str, Tensor]:
        target = gather_tokens(self.target(source.float()), mask.ids_mask)
        loss = F.mse_loss(self.pred(x).float(), target)
        # Share of the variance around the channel means that the prediction explains;
        # comparable between target_norms, where the loss is not.
        variance = target.flatten(0, 1).var(dim=0, correction=0).mean()
        return dict(loss=loss, explained=1 - loss.detach() / variance)
