"""Heads: the prediction layer of a branch, its target, and the loss."""

import warnings

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from ..errors import check
from ..moved import moved_names
from ..targets import PositionNorm, normalize_images, normalize_tokens
from .layers import SharedBiasLinear, init_transformer
from .masking import Mask
from .patches import Geometry, gather_tokens, patchify

__getattr__ = moved_names(__name__, {'unpatchify': 'bootmae_plugin.models.patches'})

# Weight of the newest batch in the target's statistics, for a teacher that moves.
MOMENTUM = 0.01


class BranchHead(BaseModule):
    """Base class of the heads: one branch of the algorithm.

    Args:
        in_channels: Width of the decoder's output (set by the algorithm).
        out_channels: Width of the prediction.
        geometry: The encoder's geometry (set by the algorithm).
        first_stage: First stage that trains the branch. Defaults to 1.
        last_stage: Last stage that trains the branch. Defaults to None: no end.
        loss_weight: Factor of the loss. Defaults to 1.
        final_weight: Factor at the end of the run, to which it changes linearly.
            Defaults to None: ``loss_weight``.
        loss_warmup: Share of the epochs over which the factor grows linearly from 0
            (BootMAE's lambda: 0.25). Defaults to 0.
        weight_neighbors: Weight a masked patch by 1 + the share of masked patches in
            its 3x3 neighborhood (BootMAE). Defaults to False.
        ramp: Deprecated name of ``loss_warmup``.
        weight_neighbours: Deprecated name of ``weight_neighbors``.

    Raises:
        UserError: if loss_warmup is not in [0, 1].
    """

    uses_teacher = False  # whether the target is the teacher's features or the images
    view = 0  # the view of the images that the target comes from
    encoded_views = 1  # the views that the student masks and encodes, as one batch

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        geometry: Geometry,
        first_stage: int = 1,
        last_stage: int | None = None,
        loss_weight: float = 1.0,
        loss_warmup: float = 0.0,
        final_weight: float | None = None,
        weight_neighbors: bool = False,
        ramp: float | None = None,
        weight_neighbours: bool | None = None,
    ) -> None:
        super().__init__()
        loss_warmup = _renamed('ramp', ramp, 'loss_warmup', loss_warmup)
        weight_neighbors = _renamed(
            'weight_neighbours', weight_neighbours, 'weight_neighbors', weight_neighbors
        )
        check(
            0 <= loss_warmup <= 1,
            f'loss_warmup={loss_warmup} is a share of the epochs: choose 0 to 1',
        )
        self.grid = geometry.grid
        self.first_stage, self.last_stage = first_stage, last_stage
        self.loss_weight, self.loss_warmup = loss_weight, loss_warmup
        self.final_weight = loss_weight if final_weight is None else final_weight
        self.weight_neighbors = weight_neighbors
        self.branch_weight = self.weight_at(0, 1)
        self.pred = nn.Linear(in_channels, out_channels)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialize the prediction layer again."""
        self.apply(init_transformer)

    def attach(self, teacher: nn.Module | None) -> None:
        """Adapt to the teacher; called once, when the model is built."""

    @property
    def num_views(self) -> int:
        """The number of views of each image that the branch needs."""
        return max(1 + self.view, self.encoded_views)

    def active(self, stage: int) -> bool:
        """Return whether a stage, counted from 1, trains the branch."""
        return self.first_stage <= stage <= (self.last_stage or stage)

    def start_stage(self, stage: int) -> None:
        """Prepare for a stage; the first one of the branch gets new weights."""
        if stage == self.first_stage:
            self.reset_parameters()

    def weight_at(self, epoch: int, max_epochs: int) -> float:
        """Return the factor of the loss in an epoch, counted from 0."""
        done = epoch / max_epochs
        weight = self.loss_weight + done * (self.final_weight - self.loss_weight)
        if self.loss_warmup == 0:
            return weight
        # BootMAE's lambda: linear from 0 to 1 over the first quarter of the epochs.
        return weight * min(done / self.loss_warmup, 1.0)

    def start_epoch(self, epoch: int, max_epochs: int) -> None:
        """Set the factor of the loss for an epoch, counted from 0."""
        self.branch_weight = self.weight_at(epoch, max_epochs)

    def loss(self, x: Tensor, source: Tensor, mask: Mask) -> dict[str, Tensor]:
        """Compare the predictions for the masked patches with their target.

        Args:
            x: (B, P, in_channels) decoded tokens of ``mask.ids_predict``.
            source: The images (B, C, H, W), or the teacher's features (B, L, D).
            mask: The mask of the step.

        Returns:
            ``loss``, and other values for the log.
        """
        raise NotImplementedError

    def masked_mse(self, pred: Tensor, target: Tensor, mask: Mask) -> Tensor:
        """Return the mean squared error over the predicted patches (B, P, C).

        With ``weight_neighbors`` it is BootMAE's ``mean(w * error) / mean(m)`` over all
        patches, where ``m`` is 1 for a masked patch and ``w`` is 0 for a visible one.
        """
        if not self.weight_neighbors:
            return F.mse_loss(pred, target)
        weight = neighbor_weight(mask, self.grid)
        return (weight * (pred - target).square().mean(dim=-1)).mean()


def _renamed(old: str, value, new: str, current):
    """Return the value of a renamed argument; the old name wins, and warns."""
    if value is None:
        return current
    warnings.warn(
        f'head option {old} is called {new} now', DeprecationWarning, stacklevel=3
    )
    return value


def neighbor_weight(mask: Mask, grid: tuple[int, int]) -> Tensor:
    """Return BootMAE's ``w = m * AvgPool3x3(m) + m`` at the predicted patches, (B, P).

    Outside the image m is 0.
    """
    m = mask.dense().float().unflatten(1, grid)[:, None]
    pooled = F.avg_pool2d(m, 3, stride=1, padding=1).flatten(1)
    return 1 + pooled.gather(1, mask.ids_predict)  # m is 1 there


@MODELS.register_module()
class PixelHead(BranchHead):
    """Predict the pixels of the masked patches; mean squared error (MAE, BootMAE's R).

    Args:
        in_channels: Width of the decoder's output (set by the algorithm).
        geometry: The encoder's geometry (set by the algorithm).
        norm_pix: Normalize each target patch: True, by mean and unbiased variance of
            all its values (MAE); 'channel', each channel by mean and biased variance
            (BootMAE); False, raw pixels. Defaults to True.
        shared_bias: One bias a channel instead of one a pixel, as in the transposed
            convolution of BootMAE's regressor. Defaults to False.
        target_channels: Unused; the algorithm offers every head the teacher's width.
        **kwargs: See :class:`BranchHead`.

    Raises:
        UserError: if norm_pix is unknown.
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
        """Return the target patches of images (B, C, H, W), and how to invert them.

        Returns:
            Normalized patches (B, L, p * p * C), and the mean and the standard
            deviation that were taken out of them, which broadcast to that shape.
        """
        patches = patchify(images, self.patch_size)
        if self.norm_pix == 'channel':  # BootMAE
            pixels = patches.unflatten(-1, (self.patch_size**2, -1))
            var, mean = torch.var_mean(pixels, dim=2, keepdim=True, correction=0)
            std = (var + 1e-5).sqrt()
            mean, std = (t.expand_as(pixels).flatten(2) for t in (mean, std))
        elif self.norm_pix:  # MAE, section 3, "Reconstruction target"
            mean = patches.mean(dim=-1, keepdim=True)
            std = (patches.var(dim=-1, keepdim=True) + 1e-6).sqrt()
        else:
            mean, std = patches.new_zeros(1), patches.new_ones(1)
        return (patches - mean) / std, mean, std

    def loss(self, x: Tensor, source: Tensor, mask: Mask) -> dict[str, Tensor]:
        """Compare predicted pixels with the images; see :class:`BranchHead`."""
        target = gather_tokens(self.target(source)[0], mask.ids_predict)
        return dict(loss=self.masked_mse(self.pred(x).float(), target, mask))


@MODELS.register_module()
class FeatureHead(BranchHead):
    """Predict the teacher's features of the masked patches (MAE-K, BootMAE's P).

    A raw or layer-normalized feature is mostly a constant and a function of the
    position, which say nothing about the image. Only 'position' removes both.

    Args:
        in_channels: Width of the decoder's output (set by the algorithm).
        geometry: The encoder's geometry (set by the algorithm).
        target_channels: Width of the teacher's features (set by the algorithm).
        target_norm: 'none'; 'layer' (each token over its channels); 'instance' (each
            channel over the tokens of an image); 'position' (:class:`PositionNorm`).
            Defaults to 'position'.
        norm_pred: Layer-normalize the prediction, too (BootMAE). Defaults to False.
        **kwargs: See :class:`BranchHead`.

    Raises:
        UserError: if there is no teacher, or target_norm is unknown.
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

    def attach(self, teacher: nn.Module | None) -> None:
        """Let the statistics of the target follow a teacher that moves."""
        if self.target_norm == 'position' and getattr(teacher, 'moves', False):
            self.position_norm.momentum = MOMENTUM

    def start_stage(self, stage: int) -> None:
        """Prepare for a stage; the new teacher has other statistics."""
        super().start_stage(stage)
        if self.target_norm == 'position':
            self.position_norm.reset()

    def target(self, features: Tensor) -> Tensor:
        """Normalize the teacher's features (B, L, D)."""
        if self.target_norm == 'layer':  # BootMAE's LN(t)
            return normalize_tokens(features)
        if self.target_norm == 'instance':
            return normalize_images(features)
        if self.target_norm == 'position':
            return self.position_norm(features)
        return features

    def loss(self, x: Tensor, source: Tensor, mask: Mask) -> dict[str, Tensor]:
        """Compare predicted features with the teacher's; see :class:`BranchHead`.

        Returns:
            ``loss``, and ``explained``: the share of the target's variance around the
            channel means that the prediction explains. It is comparable between
            target_norms; the loss is not.
        """
        target = gather_tokens(self.target(source.float()), mask.ids_predict)
        pred = self.pred(x).float()
        if self.norm_pred:  # BootMAE's LN(pred)
            pred = normalize_tokens(pred)
        loss = self.masked_mse(pred, target, mask)
        error = (pred.detach() - target).square().mean()
        # Tensor.var is several times slower over the first axes.
        variance = (target - target.mean(dim=(0, 1))).square().mean()
        return dict(loss=loss, explained=1 - error / variance)
