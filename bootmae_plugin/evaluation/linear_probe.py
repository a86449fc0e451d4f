"""Linear evaluation: a linear layer trained on cached features."""

from collections.abc import Callable, Sequence
from itertools import product
from statistics import fmean, mode
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from ..errors import check
from .features import FeatureSet
from .linear_layers import (
    BASE_BATCH,
    OPTIMIZER_CONFIGS,
    RATES,
    solve_layers,
    train_layers,
)

SOLVER = 'lbfgs'
OPTIMIZERS = (*OPTIMIZER_CONFIGS, SOLVER)
DECAYS = (0.0, 1e-3, 1e-2, 3e-2)
# L-BFGS finds the minimum, which SGD from a small start only approaches.
SOLVER_DECAYS = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
WIDE, FEW = 1024, 1000


class LinearResult(NamedTuple):
    """Result of a linear probe.

    Attributes:
        mean: Test top-1 in percent, mean over the seeds.
        std: Its standard deviation over the seeds.
        scores: Test top-1 of each seed.
        rate: Learning rate (for a batch of 512), chosen on held-out training images; 0
            of L-BFGS, which has none.
        decay: Weight decay, chosen likewise.
        held_out: Top-1 on these held-out images, in percent.
        fit: Top-1 on the training images, in percent, mean over the seeds. Far above
            ``mean``, the layer overfits and needs more weight decay; close to it, the
            features are the limit.
    """

    mean: float
    std: float
    scores: list[float]
    rate: float
    decay: float
    held_out: float
    fit: float

    @classmethod
    def of(
        cls,
        scores: list[float],
        rate: float,
        decay: float,
        held_out: float,
        fit: float,
    ) -> 'LinearResult':
        """Make one, with mean and spread of the scores."""
        values = torch.tensor(scores, dtype=torch.float64)
        spread = float(values.std(correction=0))
        return cls(float(values.mean()), spread, scores, rate, decay, held_out, fit)

    @classmethod
    def join(cls, parts: 'Sequence[LinearResult]') -> 'LinearResult':
        """Join probes on different training images; the most frequent choice counts."""
        rate, decay = mode((part.rate, part.decay) for part in parts)
        scores = [score for part in parts for score in part.scores]
        held_out, fit = (
            fmean(getattr(part, name) for part in parts) for name in ('held_out', 'fit')
        )
        return cls.of(scores, rate, decay, held_out, fit)


class Classifiers(Protocol):
    """Classifiers of the same features, one for each setting."""

    def accuracy(self, x: Tensor, y: Tensor) -> list[float]:
        """Return the top-1 in percent of each on features (N, ...), labels (N,)."""


def mean_and_std(train: Tensor) -> tuple[Tensor, Tensor]:
    """Return what batch norm without affine parameters uses.

    Args:
        train: (N, D) features, or (N, L, D) tokens, over all of which it averages.
    """
    rows = train.flatten(0, -2)
    return rows.mean(dim=0), rows.std(dim=0, correction=0) + 1e-6


def standardize(x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Standardize (N, D) features, or (N, L, D) tokens, to train on.

    Training on wide features is limited by reading them. They are stored in bfloat16
    if the CPU multiplies it natively.
    """
    capabilities = getattr(torch.cpu, 'get_capabilities', dict)()  # new in torch
    native = x.device.type == 'cpu' and capabilities.get('avx512_bf16', False)
    wide = x[0].numel() >= WIDE
    dtype = torch.bfloat16 if native and wide else torch.float32
    out = torch.empty_like(x, dtype=dtype)
    for source, target in zip(x.split(4096), out.split(4096), strict=True):
        target.copy_((source - mean) / std)
    return out


def choose_and_test(
    data: FeatureSet,
    settings: Sequence[tuple[float, float]],
    train: Callable[..., Classifiers],
    epochs: int,
    seeds: Sequence[int],
    search_epochs: int | None = None,
    copies: int = 1,
) -> LinearResult:
    """Choose a setting on held-out training images, then train and test once per seed.

    A tenth of the training images is held out. Of fewer than 1,000 images all tenths
    are held out in turn (ten-fold cross-validation), because one would be too few.

    Args:
        data: Features of training and test images.
        settings: Learning rate and weight decay of each choice.
        train: Called with standardized features, labels, number of classes, settings,
            epochs, seed and the indices of the images to train on.
        epochs: Epochs of each final training.
        seeds: Seeds of the final trainings.
        search_epochs: Epochs for the choice. Defaults to a third of ``epochs``, at
            most 90.
        copies: Copies of each training image; all are on the same side of the split.

    Raises:
        UserError: if the numbers of labels and features differ, or there are fewer than
            two training images.
    """
    features, y, test, y_test = data
    check(
        len(features) == len(y)
        and len(test) == len(y_test)
        and len(features) % copies == 0,
        f'{len(features)} training features with {len(y)} labels, {len(test)} test '
        f'features with {len(y_test)} labels: the numbers must be equal',
    )
    number = len(features) // copies
    check(number > 1, f'{number} training image: a probe needs two or more')
    classes = int(max(y.max(), y_test.max())) + 1
    order = torch.randperm(number, generator=torch.Generator().manual_seed(0))
    folds = [order[: number // 10]] if number >= FEW else order.tensor_split(10)
    search = search_epochs or min(max(epochs // 3, 1), 90)
    right = torch.zeros(len(settings), dtype=torch.float64)
    for fold in filter(len, folds):
        is_held_out = torch.zeros(number, dtype=torch.bool)
        is_held_out[fold] = True
        is_held_out = is_held_out.repeat(copies)
        x = standardize(features, *mean_and_std(features[~is_held_out]))
        rows = (~is_held_out).nonzero()[:, 0]
        layers = train(x, y, classes, settings, search, 0, rows)
        accuracy = layers.accuracy(x[is_held_out], y[is_held_out])
        right += len(fold) * torch.tensor(accuracy, dtype=torch.float64)
    scores = (right / sum(map(len, folds))).tolist()
    held_out = max(scores)
    best = settings[scores.index(held_out)]

    mean, std = mean_and_std(features)
    x, x_test = standardize(features, mean, std), (test - mean) / std
    tested, fitted = [], []
    for seed in seeds:
        layer = train(x, y, classes, [best], epochs, seed, torch.arange(len(x)))
        tested += layer.accuracy(x_test, y_test)
        fitted += layer.accuracy(x, y)
    return LinearResult.of(tested, *best, held_out, fmean(fitted))


def linear_probe(
    data: FeatureSet,
    epochs: int = 90,
    seeds: Sequence[int] = (0, 1, 2),
    rates: Sequence[float] | None = None,
    decays: Sequence[float] | None = None,
    search_epochs: int | None = None,
    copies: int = 1,
    optimizer: str = 'sgd',
    batch_size: int = BASE_BATCH,
) -> LinearResult:
    """Train a linear layer on frozen features and test it once per seed.

    Learning rate and weight decay are chosen on held-out training images, never on the
    test images; see :func:`choose_and_test`.

    Args:
        data: Features of training and test images.
        epochs: Epochs of each final training. Defaults to 90.
        seeds: Seeds of the initial weights and of the order of the images.
        rates: Learning rates (for a batch of 512) to choose from. Defaults to
            ``RATES`` of the optimizer.
        decays: Weight decays to choose from. Defaults to ``DECAYS``, of L-BFGS to
            ``SOLVER_DECAYS``.
        search_epochs: Epochs for the choice. Defaults to a third of ``epochs``, at
            most 90.
        copies: Copies of each training image among the features (2 with mirrored
            ones). All copies of an image are on the same side of the split. Defaults
            to 1.
        optimizer: 'sgd', 'lars', or 'lbfgs', which solves for the minimum with
            scikit-learn: a check of the others, without rate, epochs and seeds.
            Defaults to 'sgd'.
        batch_size: Images per step; scales the learning rate. Defaults to 512.

    Raises:
        UserError: if the numbers of labels and features differ, or the optimizer is
            unknown.
    """
    check(
        optimizer in OPTIMIZERS,
        f'unknown optimizer={optimizer!r}: choose one of {OPTIMIZERS}',
    )
    if optimizer == SOLVER:
        # The minimum depends neither on a rate nor on a seed.
        settings, seeds = [(0.0, decay) for decay in decays or SOLVER_DECAYS], [0]

        def train(x, y, classes, settings, epochs, seed, rows):
            return solve_layers(x, y, classes, [decay for _, decay in settings], rows)
    else:
        settings = list(product(rates or RATES[optimizer], decays or DECAYS))

        def train(x, y, classes, settings, epochs, seed, rows):
            return train_layers(
                x, y, classes, settings, epochs, seed, optimizer, batch_size, rows
            )

    return choose_and_test(data, settings, train, epochs, seeds, search_epochs, copies)
