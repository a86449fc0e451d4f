"""Nearest-neighbor classification of frozen features."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import check
from .features import FeatureSet


def knn_predict(
    features: Tensor,
    bank: Tensor,
    labels: Tensor,
    num_classes: int,
    k: int = 20,
    temperature: float = 0.07,
    batch_size: int = 500,
) -> Tensor:
    """Classify by weighted k-NN on the cosine similarity (Wu et al. 2018, as in DINO).

    Args:
        features: (M, D) to classify.
        bank: (N, D) of the training images.
        labels: (N,) classes of the training images.
        num_classes: Number of classes.
        k: Number of neighbors. Defaults to 20.
        temperature: A neighbor of similarity s votes with weight exp(s / temperature).
            Defaults to 0.07.
        batch_size: Rows per batch; the result does not depend on it. Defaults to 500.

    Returns:
        (M,) predicted classes.

    Raises:
        UserError: if there are fewer than k training images.
    """
    check(
        0 < k <= len(bank),
        f'k={k} neighbors of {len(bank)} training images: choose 1 to {len(bank)}',
    )
    bank = F.normalize(bank, dim=1)
    predicted = []
    for rows in F.normalize(features, dim=1).split(batch_size):
        similarity, index = (rows @ bank.T).topk(k, dim=1)
        votes = torch.zeros(len(rows), num_classes)
        # Relative to the nearest neighbor: the order is the same, nothing overflows.
        weight = ((similarity - similarity[:, :1]) / temperature).exp()
        predicted.append(votes.scatter_add(1, labels[index], weight).argmax(dim=1))
    return torch.cat(predicted)


def knn_accuracy(
    data: FeatureSet, k: int = 20, temperature: float = 0.07, center: bool = False
) -> float:
    """Return the top-1 accuracy in percent on the test images; see knn_predict.

    Args:
        data: Features of training and test images.
        k, temperature: As of :func:`knn_predict`.
        center: Subtract the mean of the training features from all first, so that a
            part that all images share does not hide the differences. Defaults to False.
    """
    train, test = data.train, data.test
    if center:
        mean = train.mean(dim=0)
        train, test = train - mean, test - mean
    classes = int(max(data.train_labels.max(), data.test_labels.max())) + 1
    predicted = knn_predict(test, train, data.train_labels, classes, k, temperature)
    return 100 * float((predicted == data.test_labels).float().mean())
