"""The linear layer alone, trained on cached features."""

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import torch
from mmpretrain.registry import OPTIMIZERS
from torch import Tensor

from ..engine.schedulers import warmup_cosine
from ..errors import check
from .features import FeatureSet

# Of a batch of 512, as in configs/_base_/schedules/linear_90e.py. Narrow features want
# high rates, wide ones low: on CIFAR-10 64 flattened tokens 0.01, their mean 0.3 to 1.
# LARS' 0.1 is the DeiT-Tiny / CIFAR-10 report's 5e-2 x batch / 256.
RATES = dict(
    sgd=(0.003, 0.01, 0.03, 0.1, 0.3, 1.0),
    lars=(0.1, 0.3, 1.0, 3.0, 10.0, 30.0),
)
DECAYS = (0.0, 1e-3, 1e-2)
OPTIMISERS = dict(
    sgd=dict(type='SGD', lr=0.0, momentum=0.9),
    lars=dict(type='LARS', lr=0.0, momentum=0.9),
)
BASE_BATCH, WARMUP, WIDE = 512, 0.1, 1024


class LinearResult(NamedTuple):
    """What a linear probe found.

    Attributes:
        mean: Test top-1 in percent, mean over the seeds.
        std: Its standard deviation over the seeds.
        scores: One a seed.
        rate, decay: Learning rate (of a batch of 512) and weight decay, chosen on
            held-out training images.
        held_out: Their top-1 on these, in percent.
    """

    mean: float
    std: float
    scores: list[float]
    rate: float
    decay: float
    held_out: float


class Layers(NamedTuple):
    """S linear layers side by side: weight (S, C, D), bias (S, C)."""

    weight: Tensor
    bias: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """Scores (S, C, B) of features (B, D), in float32."""
        scores = self.weight.flatten(0, 1).to(x.dtype) @ x.T
        return scores.float().view(*self.bias.shape, len(x)) + self.bias[..., None]

    def accuracy(self, x: Tensor, y: Tensor) -> list[float]:
        """Top-1 in percent of each layer on (N, D) features and (N,) labels."""
        parts = zip(x.split(4096), y.split(4096), strict=True)
        right = [(self(a).argmax(dim=1) == b).sum(dim=1) for a, b in parts]
        return [100 * int(n) / len(x) for n in torch.stack(right).sum(dim=0)]


def standardiser(train: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation of (N, D) features: batch norm without affine takes them."""
    return train.mean(dim=0), train.std(dim=0, correction=0) + 1e-6


def compact(x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Standardised features to train on, (N, D).

    Reading wide ones is what takes the time: in bfloat16 where the CPU multiplies it.
    """
    native = getattr(torch.cpu, '_is_avx512_bf16_supported', lambda: False)
    narrow = x.shape[1] < WIDE or x.device.type != 'cpu' or not native()
    out = torch.empty_like(x, dtype=torch.float32 if narrow else torch.bfloat16)
    for source, target in zip(x.split(4096), out.split(4096), strict=True):
        target.copy_((source - mean) / std)
    return out


@torch.no_grad()
def fit(
    x: Tensor,
    y: Tensor,
    num_classes: int,
    settings: Sequence[tuple[float, float]],
    epochs: int,
    seed: int,
    optimiser: str = 'sgd',
    batch_size: int = BASE_BATCH,
    rows: Tensor | None = None,
) -> Layers:
    """Train a layer for each setting, all from one start and on the same batches.

    The schedule is WarmupCosineLR's; what does not fill a batch is left out, as
    ``drop_last`` does. Biases have no weight decay, and LARS leaves them alone.

    Args:
        x: (N, D) standardised features.
        y: (N,) labels.
        num_classes: Number of classes.
        settings: Learning rate of a batch of 512 and weight decay of each layer.
        epochs: Passes over the images.
        seed: Of the start and the order of the images.
        optimiser: 'sgd' or 'lars'. Defaults to 'sgd'.
        batch_size: Images a step; the learning rate follows. Defaults to 512.
        rows: (M,) the images to train on. Defaults to None: all.
    """
    generator = torch.Generator().manual_seed(seed)
    rows = torch.arange(len(x)) if rows is None else rows.cpu()
    batch_size = min(batch_size, len(rows))
    start = 0.01 * torch.randn(num_classes, x.shape[1], generator=generator)
    weight = start.to(x.device).repeat(len(settings), 1, 1)
    layers = Layers(weight, weight.new_zeros(weight.shape[:2]))
    grads = Layers(*map(torch.zeros_like, layers))
    groups = []
    for (rate, decay), w, b, *grad in zip(settings, *layers, *grads, strict=True):
        w.grad, b.grad = grad
        base = rate * batch_size / BASE_BATCH
        groups.append(dict(params=[w], base=base, weight_decay=decay))
        groups.append(dict(params=[b], base=base, weight_decay=0.0, lars_exclude=True))
    optimizer = OPTIMIZERS.build(dict(OPTIMISERS[optimiser], params=groups))

    batch = x.new_empty(batch_size, x.shape[1])
    each = torch.arange(batch_size, device=x.device)
    batches = len(rows) // batch_size
    for step in range(epochs * batches):
        if step % batches == 0:
            order = rows[torch.randperm(len(rows), generator=generator)].to(x.device)
        ids = order[step % batches * batch_size :][:batch_size]
        torch.index_select(x, 0, ids, out=batch)
        # The gradient of the mean cross-entropy by the scores: softmax - one-hot.
        error = layers(batch).softmax(dim=1)
        error[:, y[ids], each] -= 1
        error /= batch_size
        grads.weight.copy_((error.flatten(0, 1).to(x.dtype) @ batch).view_as(weight))
        grads.bias.copy_(error.sum(dim=2))
        for group in optimizer.param_groups:
            group['lr'] = group['base'] * warmup_cosine(step, epochs * batches, WARMUP)
        optimizer.step()
    return layers


def linear_probe(
    data: FeatureSet,
    epochs: int = 90,
    seeds: Sequence[int] = (0, 1, 2),
    rates: Sequence[float] | None = None,
    decays: Sequence[float] = DECAYS,
    search_epochs: int | None = None,
    copies: int = 1,
    optimiser: str = 'sgd',
    batch_size: int = BASE_BATCH,
) -> LinearResult:
    """Linear evaluation; the test images are looked at once a seed, after all choices.

    Args:
        data: Features of training and test images.
        epochs: Of each training. Defaults to 90.
        seeds: Of the layer's start and the order of the images.
        rates, decays: Learning rates (of a batch of 512) and weight decays to choose
            from, on a tenth of the training images. Defaults to ``RATES``, ``DECAYS``.
        search_epochs: Epochs of each of these. Defaults to a third of ``epochs``, and
            at most 90.
        copies: Of each training image among the features (2 with flipped ones): all of
            an image are on the same side of the split. Defaults to 1.
        optimiser: 'sgd' or 'lars'. Defaults to 'sgd'.
        batch_size: Images a step; the learning rate follows. Defaults to 512.

    Raises:
        UserError: if labels and features do not fit, or the optimiser is unknown.
    """
    check(
        len(data.train) == len(data.train_labels)
        and len(data.test) == len(data.test_labels)
        and len(data.train) % copies == 0,
        f'{len(data.train)} training features with {len(data.train_labels)} labels, '
        f'{len(data.test)} test features with {len(data.test_labels)} labels: they '
        'must be as many',
    )
    check(
        optimiser in OPTIMISERS,
        f'unknown optimiser={optimiser!r}: choose one of {sorted(OPTIMISERS)}',
    )
    train, y, test, y_test = data
    classes = int(max(y.max(), y_test.max())) + 1
    options = dict(optimiser=optimiser, batch_size=batch_size)
    number = len(train) // copies
    order = torch.randperm(number, generator=torch.Generator().manual_seed(0))
    held = torch.zeros(number, dtype=torch.bool)
    held[order[: max(number // 10, 1)]] = True
    held = held.repeat(copies)

    settings = list(product(rates or RATES[optimiser], decays))
    search = search_epochs or min(max(epochs // 3, 1), 90)
    x, rows = compact(train, *standardiser(train[~held])), (~held).nonzero()[:, 0]
    layers = fit(x, y, classes, settings, search, seed=0, rows=rows, **options)
    scores = layers.accuracy(x[held], y[held])
    held_out = max(scores)
    best = settings[scores.index(held_out)]

    mean, std = standardiser(train)
    x, x_test = compact(train, mean, std), (test - mean) / std
    scores = [
        fit(x, y, classes, [best], epochs, seed, **options).accuracy(x_test, y_test)[0]
        for seed in seeds
    ]
    values = torch.tensor(scores)
    spread = float(values.std(correction=0)) if len(scores) > 1 else 0.0
    return LinearResult(float(values.mean()), spread, scores, *best, held_out)
