"""How many directions the features use: spread and effective rank."""

import torch
import torch.nn.functional as F
from torch import Tensor

# As many images as RankMe takes; wider features than these would need minutes.
MAX_IMAGES, MAX_WIDTH = 25_600, 4096


def feature_std(features: Tensor) -> float:
    """Return the spread of features (N, D): about 1 in all directions, 0 collapsed.

    The standard deviation over the images of each channel of the L2-normalized
    features, averaged over the channels, times sqrt(D) (SimSiam, section 4).
    """
    std = F.normalize(features, dim=1).std(dim=0, correction=0)
    return float(std.mean() * features.shape[1] ** 0.5)


def effective_rank(features: Tensor) -> float:
    """Return the effective rank of features (N, D), from 1 to min(N, D).

    It is the exponential of the entropy of the singular values, divided by their sum
    (Roy and Vetterli 2007). On features of training images, which are not centered, it
    is RankMe (Garrido et al. 2023, equation 2, without its epsilon).

    Args:
        features: (N, D). At most 25,600 rows, evenly spaced, are used.

    Returns:
        The rank; NaN if there are more than 4,096 channels.
    """
    if features.shape[1] > MAX_WIDTH:
        return float('nan')
    rows = torch.linspace(0, len(features) - 1, min(len(features), MAX_IMAGES))
    values = torch.linalg.svdvals(features[rows.round().long()].float())
    shares = values / values.sum().clamp(min=torch.finfo(values.dtype).tiny)
    return float(torch.special.entr(shares).sum().exp())
