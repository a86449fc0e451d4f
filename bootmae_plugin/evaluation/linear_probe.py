"""The linear layer alone, trained on cached features."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import check
from .features import FeatureSet

RATES = (0.01, 0.03, 0.1, 0.3)
DECAYS = (0.0, 1e-4)


class LinearResult(NamedTuple):
    """What a linear probe found.

    Attributes:
        mean: Test top-1 in percent, mean over the seeds.
        std: Its standard deviation over the seeds.
        scores: One a seed.
        rate, decay: Learning rate and weight decay, chosen on held-out training images.
        held_out: Their top-1 on these, in percent.
    """

    mean: float
    std: float
    scores: list[float]
    rate: float
    decay: float
    held_out: float


def standardise(train: Tensor, *others: Tensor) -> list[Tensor]:
    """Zero mean, unit deviation by the training features: batch norm without affine."""
    mean, std = train.mean(dim=0), train.std(dim=0, correction=0) + 1e-6
    return [(x - mean) / std for x in (train, *others)]


def fit(
    x: Tensor,
    y: Tensor,
    num_classes: int,
    rate: float,
    decay: float,
    epochs: int,
    seed: int,
    batch_size: int = 512,
) -> nn.Linear:
    """Train a linear layer: SGD with momentum 0.9, cosine with 10 % warm-up."""
    generator = torch.Generator().manual_seed(seed)
    layer = nn.Linear(x.shape[1], num_classes)
    nn.init.normal_(layer.weight, std=0.01, generator=generator)
    nn.init.zeros_(layer.bias)
    optimizer = torch.optim.SGD(
        layer.parameters(), lr=rate, momentum=0.9, weight_decay=decay
    )
    batch_size = min(batch_size, len(x))
    steps = epochs * (len(x) // batch_size)
    step = 0
    for _ in range(epochs):
        order = torch.randperm(len(x), generator=generator)
        for ids in order.split(batch_size):
            if len(ids) < batch_size:
                continue
            factor = min((step + 1) / (0.1 * steps + 1), 1.0)
            factor *= 0.5 * (1 + math.cos(math.pi * step / steps))
            optimizer.param_groups[0]['lr'] = rate * factor
            loss = F.cross_entropy(layer(x[ids]), y[ids])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
    return layer


@torch.no_grad()
def accuracy(layer: nn.Module, x: Tensor, y: Tensor) -> float:
    """Top-1 in percent."""
    return 100 * float((layer(x).argmax(dim=1) == y).float().mean())


def linear_probe(
    data: FeatureSet,
    epochs: int = 90,
    seeds: Sequence[int] = (0, 1, 2),
    rates: Sequence[float] = RATES,
    decays: Sequence[float] = DECAYS,
    search_epochs: int | None = None,
    copies: int = 1,
) -> LinearResult:
    """Linear evaluation; the test images are looked at once a seed, after all choices.

    Args:
        data: Features of training and test images.
        epochs: Of each training. Defaults to 90.
        seeds: Of the layer's start and the order of the images.
        rates, decays: Learning rates and weight decays to choose from, on a tenth of
            the training images.
        search_epochs: Epochs of each of these. Defaults to a third of ``epochs``.
        copies: Of each training image among the features (2 with flipped ones): all of
            an image are on the same side of the split. Defaults to 1.

    Raises:
        UserError: if labels and features do not fit.
    """
    check(
        len(data.train) == len(data.train_labels)
        and len(data.test) == len(data.test_labels)
        and len(data.train) % copies == 0,
        f'{len(data.train)} training features with {len(data.train_labels)} labels, '
        f'{len(data.test)} test features with {len(data.test_labels)} labels: they '
        'must be as many',
    )
    classes = int(max(data.train_labels.max(), data.test_labels.max())) + 1
    number = len(data.train) // copies
    order = torch.randperm(number, generator=torch.Generator().manual_seed(0))
    held = torch.zeros(number, dtype=torch.bool)
    held[order[: max(number // 10, 1)]] = True
    held = held.repeat(copies)
    x, x_held = standardise(data.train[~held], data.train[held])
    y, y_held = data.train_labels[~held], data.train_labels[held]
    search = search_epochs or max(epochs // 3, 1)
    best = (-1.0, rates[0], decays[0])
    for rate in rates:
        for decay in decays:
            layer = fit(x, y, classes, rate, decay, search, seed=0)
            score = accuracy(layer, x_held, y_held)
            if score > best[0]:
                best = (score, rate, decay)
    held_out, rate, decay = best

    x, x_test = standardise(data.train, data.test)
    scores = [
        accuracy(
            fit(x, data.train_labels, classes, rate, decay, epochs, seed),
            x_test,
            data.test_labels,
        )
        for seed in seeds
    ]
    values = torch.tensor(scores)
    std = float(values.std(correction=0)) if len(scores) > 1 else 0.0
    return LinearResult(float(values.mean()), std, scores, rate, decay, held_out)
