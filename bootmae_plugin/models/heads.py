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
        geometry: The encoder's geometry (the algorithm gives it).
        first_stage: Stage in which the branch starts. Defaults to 1.
        last_stage: Last stage in which it is trained. Defaults to None: all.
        loss_weight: Factor of its loss. Defaults to 1.
        ramp: Share of the epochs over which the factor grows linearly from 0 (BootMAE,
            0.25). Defaults to 0.
        weight_neighbours: Weight a masked patch by 1 + the share of masked patches in
            its 3x3 neighbourhood (BootMAE). Defaults to False.
    """

    uses_teacher = False  # its target: the teacher's features, or else the images

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        geometry: Geometry,
        first_stage: int = 1,
        last_stage: int | None = None,
        loss_weight: float = 1.0,
        ramp: float = 0.0,
        weight_neighbours: bool = False,
    ) -> None:
        super().__init__()
        check(0 <= ramp <= 1, f'ramp={ramp} is a share of the epochs: 0 to 1')
        self.grid = geometry.grid
        self.first_stage, self.last_stage = first_stage, last_stage
        self.loss_weight, self.ramp = loss_weight, ramp
        self.weight_neighbours = weight_neighbours
        self.branch_weight = self.weight_at(0, 1)
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

    def weight_at(self, epoch: int, max_epochs: int) -> float:
        """Factor of the loss in an epoch, counted from 0 (BootMAE's lambda)."""
        done = epoch / max_epochs
        return self.loss_weight * (min(done / self.ramp, 1.0) if self.ramp else 1.0)

    def start_epoch(self, epoch: int, max_epochs: int) -> None:
        """Set the factor of the loss for an epoch."""
        self.branch_weight = self.weight_at(epoch, max_epochs)

    def loss(self, x: Tensor, source: Tensor, mask: Mask) -> dict[str, Tensor]:
        """Compare the masked positions with their target.

        Args:
            x: (B, P, in_channels) decoded tokens of ``mask.ids_predict``.
            source: The images (B, C, H, W), or the teacher's features (B, L, D).
            mask: The mask of the step.

        Returns:
            ``loss`` and what else is worth logging.
        """
        raise NotImplementedError

    def masked_mse(self, pred: Tensor, target: Tensor, mask: Mask) -> Tensor:
        """Squared error (B, M, C), each patch weighted, averaged: without the weights
        the mean, with them ``mean(w * error) / mean(m)`` over all patches (BootMAE)."""
        if not self.weight_neighbours:
            return F.mse_loss(pred, target)
        weight = neighbour_weight(mask, self.grid)
        return (weight * (pred - target).square().mean(dim=-1)).mean()


def neighbour_weight(mask: Mask, grid: tuple[int, int]) -> Tensor:
    """``m * AvgPool3x3(m) + m`` (B, P) at the predicted patches, zero padded."""
    m = mask.dense().float().unflatten(1, grid)[:, None]
    pooled = F.avg_pool2d(m, 3, stride=1, padding=1).flatten(1)
    return 1 + pooled.gather(1, mask.ids_predict)


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
    """Pixels of the masked patches, mean squared error.

    Args:
        in_channels: Width of the decoder's output.
        geometry: The encoder's geometry.
        norm_pix: Normalise each target patch: True, over all its values by mean and
            unbiased variance (MAE); 'channel', each channel by mean and biased variance
            (BootMAE); False, raw pixels. Defaults to True.
        shared_bias: One bias a channel instead of one a pixel: the transposed
            convolution of BootMAE's regressor. Defaults to False.
        target_channels: Not used; every head is offered the teacher's width.
        **kwargs: See :class:`BranchHead`.
    """

    def __init__(
        self,
        in_channels: int,
        geometry: Geometry,
        norm_pix: bool | str = True,
        shared_bias: bool = False,
        target_channels: int | None = None,
        **kwargs,
    ) -> None:
        check(
            norm_pix in (True, False, 'channel'),
            f"unknown norm_pix={norm_pix!r}: choose True, False or 'channel'",
        )
        self.patch_size, self.norm_pix = geometry.patch_size, norm_pix
        channels = geometry.in_channels
        out_channels = geometry.patch_size**2 * channels
        super().__init__(in_channels, out_channels, geometry, **kwargs)
        if shared_bias:
            self.pred = SharedBiasLinear(in_channels, channels, out_channels)
            self.reset_parameters()

    def target(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Target patches (B, L, p * p * C), and the mean and std taken out of them."""
        patches = patchify(images, self.patch_size)
        if self.norm_pix == 'channel':
            pixels = patches.unflatten(-1, (self.patch_size**2, -1))
            var, mean = torch.var_mean(pixels, dim=2, keepdim=True, correction=0)
            mean, std = (
                t.expand_as(pixels).flatten(2) for t in (mean, (var + 1e-5).sqrt())
            )
        elif self.norm_pix:
            mean = patches.mean(dim=-1, keepdim=True)
            std = (patches.var(dim=-1, keepdim=True) + 1e-6).sqrt()
        else:
            mean, std = patches.new_zeros(1), patches.new_ones(1)
        return (patches - mean) / std, mean, std

    def loss(self, x: Tensor, source: Tensor, mask: Mask) -> dict[str, Tensor]:
        target = gather_tokens(self.target(source)[0], mask.ids_predict)
        return dict(loss=self.masked_mse(self.pred(x).float(), target, mask))


class SharedBiasLinear(nn.Linear):
    """A linear layer whose outputs share biases in turn: output i has bias i mod n."""

    def __init__(self, in_features: int, num_biases: int, out_features: int) -> None:
        super().__init__(in_features, out_features)
        self.bias = nn.Parameter(torch.zeros(num_biases))

    def forward(self, x: Tensor) -> Tensor:
        bias = self.bias.repeat(self.out_features // len(self.bias))
        return F.linear(x, self.weight, bias)


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

    @staticmethod
    def _follow(statistic: Tensor, value: Tensor, weight: Tensor) -> None:
        """A value that is not finite would stay in all that follow: left out."""
        fine = value.isfinite().all()
        statistic.lerp_(torch.where(fine, value, statistic), weight)

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, D) -> (B, L, D)."""
        if self.training:
            self.steps += 1
            weight = (1 / self.steps.float()).clamp(min=self.momentum)
            self._follow(self.mean, self._average(x), weight)
            spread = self._average((x - self.mean).square().mean(dim=1))
            self._follow(self.var, spread, weight)
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
        norm_pred: Layer-normalise the prediction, too (BootMAE). Defaults to False.
        **kwargs: See :class:`BranchHead`.
    """

    uses_teacher = True

    def __init__(
        self,
        in_channels: int,
        geometry: Geometry,
        target_channels: int | None = None,
        target_norm: str = 'position',
        norm_pred: bool = False,
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
        self.target_norm, self.norm_pred = target_norm, norm_pred
        super().__init__(in_channels, target_channels, geometry, **kwargs)
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
        target = gather_tokens(self.target(source.float()), mask.ids_predict)
        pred = self.pred(x).float()
        if self.norm_pred:
            pred = F.layer_norm(pred, pred.shape[-1:], eps=1e-6)
        loss = self.masked_mse(pred, target, mask)
        error = (pred.detach() - target).square().mean()
        # Share of the variance around the channel means that the prediction explains;
        # comparable between target_norms, where the loss is not.
        # Not Tensor.var, whose kernel is several times slower over the first axes.
        variance = (target - target.mean(dim=(0, 1))).square().mean()
        return dict(loss=loss, explained=1 - error / variance)
