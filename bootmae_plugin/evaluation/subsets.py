"""Subsets of the training images: few labels, and a split to choose recipes on."""

import torch
from torch import Tensor

from ..errors import check
from .features import FeatureSet

VAL_SHARE = 0.1


def rank_in_class(labels: Tensor, seed: int) -> Tensor:
    """Return each image's place (N,) in a random order of its class (0: the first)."""
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    # A stable sort by class keeps the random order within each class.
    order = order[labels[order].argsort(stable=True)]
    counts = labels.bincount()
    starts = (counts.cumsum(0) - counts).repeat_interleave(counts)
    ranks = torch.empty_like(order)
    ranks[order] = torch.arange(len(order)) - starts
    return ranks


def split_training_images(
    train: Tensor, labels: Tensor, copies: int = 1, share: float = VAL_SHARE
) -> FeatureSet:
    """Split a share of each class off the training images, always the same one.

    Args:
        train: (N, ...) features of the training images; copies of all of them follow.
        labels: (N,) labels.
        copies: Copies of each image. The split-off images keep only the first.
        share: Share of the images to split off. Defaults to a tenth.

    Returns:
        A FeatureSet whose test images are the split-off images.

    Raises:
        UserError: if a class is too small.
    """
    first = labels[: len(labels) // copies]
    counts = first.bincount()
    check(
        int(counts[counts > 0].min()) >= 2,
        'the split val takes a tenth of the training images of each class, but a class '
        'has only one image',
    )
    sizes = (share * counts).round().long().clamp(min=1)
    is_val = rank_in_class(first, seed=0) < sizes[first]
    is_train = (~is_val).repeat(copies)
    original = slice(len(first))
    return FeatureSet(
        train[is_train], labels[is_train], train[original][is_val], first[is_val]
    )


def draw_labels(
    data: FeatureSet, per_class: int, seed: int, copies: int = 1
) -> FeatureSet:
    """Keep a random subset of the training images, of equal size in each class.

    Args:
        data: The features.
        per_class: Images of each class to keep, with all their copies.
        seed: Seed of the draw. A larger subset contains the smaller ones of its seed.
        copies: Copies of each training image.

    Raises:
        UserError: if a class has fewer images.
    """
    labels = data.train_labels[: len(data.train_labels) // copies]
    counts = labels.bincount()
    smallest = int(counts[counts > 0].min())
    check(
        0 < per_class <= smallest,
        f'{per_class} labels per class, but the smallest class has {smallest} training '
        f'images: choose 1 to {smallest}',
    )
    kept = (rank_in_class(labels, seed) < per_class).repeat(copies)
    return data._replace(train=data.train[kept], train_labels=data.train_labels[kept])
