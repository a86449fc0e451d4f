"""Features of a few images: their nearest neighbors, and a map in the plane."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from .figures import mosaic


def nearest_neighbors(features: Tensor, queries: int, count: int) -> Tensor:
    """Return the nearest neighbors, by cosine similarity, of evenly spread images.

    Args:
        features: (N, D).
        queries: Number Q of images whose neighbors are wanted.
        count: Number of neighbors of each.

    Returns:
        (Q, 1 + count) indices: an image, then its neighbors, the nearest first.
    """
    unit = functional.normalize(features - features.mean(dim=0))
    chosen = torch.linspace(0, len(unit) - 1, queries).round().long()
    similar = unit[chosen] @ unit.T
    similar[torch.arange(queries), chosen] = -torch.inf  # not itself
    return torch.cat([chosen[:, None], similar.topk(count).indices], dim=1)


def neighbor_picture(images: Tensor, neighbors: Tensor) -> np.ndarray:
    """Draw images (N, 3, H, W) uint8 by :func:`nearest_neighbors`, a query a row."""
    chosen = images[neighbors.flatten()].permute(0, 2, 3, 1).numpy()
    return mosaic(chosen, neighbors.shape[1])


def map_to_plane(features: Tensor) -> tuple[np.ndarray, str]:
    """Map features (N, D) to (N, 2): by t-SNE with scikit-learn, else by PCA.

    Returns:
        The points, and the name of the method.
    """
    centered = (features - features.mean(dim=0)).double()
    try:
        from sklearn.manifold import TSNE
    except ImportError:
        components = torch.linalg.svd(centered, full_matrices=False).Vh[:2]
        return (centered @ components.T).numpy(), 'PCA'
    perplexity = min(30.0, (len(centered) - 1) / 3)
    tsne = TSNE(init='pca', perplexity=perplexity, random_state=0)
    return tsne.fit_transform(centered.numpy()), 't-SNE'
