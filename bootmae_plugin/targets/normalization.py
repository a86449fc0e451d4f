"""Normalization of feature targets: per token, image or position, and whitening."""

import torch
import torch.nn.functional as F
from mmengine import dist
from torch import Tensor, nn

EPS = 1e-6


def normalize_tokens(x: Tensor) -> Tensor:
    """Normalize each token (B, L, D) over its channels; no learned weights."""
    return F.layer_norm(x, x.shape[-1:], eps=EPS)


def normalize_images(x: Tensor) -> Tensor:
    """Normalize each channel (B, L, D) over the tokens of an image."""
    var, mean = torch.var_mean(x, dim=1, keepdim=True, correction=0)
    return (x - mean) / (var + EPS).sqrt()


class PositionNorm(nn.Module):
    """Center features per position and scale them per channel, over the data set.

    The mean (L, D) and the variance (D) are averages over all batches since the last
    reset and over all ranks. With ``momentum=0`` every batch counts the same: after one
    epoch they are the statistics of the whole data set, if the teacher is frozen. For a
    teacher that moves, set a momentum: the averages become exponential once
    ``1 / steps`` falls below it. In eval mode the statistics do not change.

    Args:
        num_positions: Number L of patches.
        channels: Width D of the features.
        momentum: Smallest weight of a new batch. Defaults to 0.
    """

    def __init__(
        self, num_positions: int, channels: int, momentum: float = 0.0
    ) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer('mean', torch.zeros(num_positions, channels))
        self.register_buffer('var', torch.ones(channels))
        self.register_buffer('steps', torch.zeros((), dtype=torch.long))

    def reset(self) -> None:
        """Forget the statistics, because the teacher has changed."""
        self.mean.zero_()
        self.var.fill_(1)
        self.steps.zero_()

    def forward(self, x: Tensor) -> Tensor:
        """Normalize features (B, L, D); in training mode, update the statistics."""
        if self.training:
            self._update(x)
        return (x - self.mean) / (self.var + EPS).sqrt()

    def _update(self, x: Tensor) -> None:
        mean = _average(x)
        var = _average((x - mean).square().mean(dim=1))
        # Skip a non-finite batch: a running mean never recovers from one.
        finite = mean.isfinite().all() & var.isfinite().all()
        mean, var = (torch.where(finite, mean, self.mean), torch.where(finite, var, 0))
        self.steps += finite
        weight = (1 / self.steps.clamp(min=1).float()).clamp(min=self.momentum)
        weight = weight * finite
        # Chan et al. 1979: variances add up, and so does the distance of the means.
        shift = mean - self.mean
        between = (1 - weight) * shift.square().mean(dim=0)
        self.mean += weight * shift
        self.var.lerp_(var + between, weight)


class Whitening(nn.Module):
    """Center features, and scale them so that their covariance is the identity.

    Mean (D) and covariance (D, D) are averages over all batches since the last reset
    and over all ranks, as in :class:`PositionNorm`. The inverse Cholesky factor does
    the whitening. It differs from a symmetric inverse root by a rotation, which a mean
    squared error does not see, and a GPU computes it without waiting.

    Args:
        channels: Width D of the features.
        shrinkage: Added to the eigenvalues, in units of their mean. It bounds how much
            the weakest directions are amplified. Defaults to 1e-3.
        momentum: Smallest weight of a new batch. Defaults to 0.
    """

    def __init__(
        self, channels: int, shrinkage: float = 1e-3, momentum: float = 0.0
    ) -> None:
        super().__init__()
        self.shrinkage, self.momentum = shrinkage, momentum
        self.register_buffer('mean', torch.zeros(channels))
        self.register_buffer('cov', torch.eye(channels))
        self.register_buffer('steps', torch.zeros((), dtype=torch.long))

    def reset(self) -> None:
        """Forget the statistics, because the teacher has changed."""
        self.mean.zero_()
        self.cov.copy_(torch.eye(len(self.cov)))
        self.steps.zero_()

    def forward(self, x: Tensor) -> Tensor:
        """Whiten features (B, D); in training mode, update the statistics."""
        with torch.autocast(x.device.type, enabled=False):
            x = x.float()
            if self.training:
                self._update(x)
            ridge = self.shrinkage * self.cov.diagonal().mean()
            identity = torch.eye(len(self.cov), device=x.device)
            factor, _ = torch.linalg.cholesky_ex(self.cov + ridge * identity)
            centered = (x - self.mean).T
            return torch.linalg.solve_triangular(factor, centered, upper=False).T

    def _update(self, x: Tensor) -> None:
        mean = _average(x)
        centered = x - mean
        cov = centered.T @ centered / len(x)
        dist.all_reduce(cov, 'mean')
        finite = mean.isfinite().all() & cov.isfinite().all()
        mean, cov = torch.where(finite, mean, self.mean), torch.where(finite, cov, 0)
        self.steps += finite
        weight = (1 / self.steps.clamp(min=1).float()).clamp(min=self.momentum)
        weight = weight * finite
        shift = mean - self.mean
        between = (1 - weight) * torch.outer(shift, shift)
        self.mean += weight * shift
        self.cov.lerp_(cov + between, weight)


def _average(x: Tensor) -> Tensor:
    """Average over the batch and the ranks, which hold batches of one size."""
    x = x.mean(dim=0)
    dist.all_reduce(x, 'mean')  # in place; does nothing in one process
    return x
