"""Linear evaluation: a linear layer trained on cached features."""

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import torch
from mmpretrain.registry import OPTIMIZERS
from torch import Tensor

from ..engine.schedulers import warmup_cosine
from ..errors import check
from .features import FeatureSet

# For a batch of 512, as in configs/_base_/schedules/linear_90e.py. Narrow features need
# high rates, wide ones low: on CIFAR-10 64 flattened tokens .01, their mean .3 to 1.
# LARS' .1 is the rate of the DeiT-Tiny / CIFAR-10 report, 5e-2 x batch / 256.
RATES = dict(
    sgd=(0.003, 0.01, 0.03, 0.1, 0.3, 1.0),
    lars=(0.1, 0.3, 1.0, 3.0, 10.0, 30.0),
)
DECAYS = (0.0, 1e-3, 1e-2)
OPTIMIZER_CONFIGS = dict(
    sgd=dict(type='SGD', lr=0.0, momentum=0.9),
    lars=dict(type='LARS', lr=0.0, momentum=0.9),
)
BASE_BATCH, WARMUP, WIDE = 512, 0.1, 1024


class LinearResult(NamedTuple):
    """Result of a linear probe.

    Attributes:
        mean: Test top-1 in percent, mean over the seeds.
        std: Its standard deviation over the seeds.
        scores: Test top-1 of each seed.
        rate: Learning rate (for a batch of 512), chosen on held-out training images.
        decay: Weight decay, chosen likewise.
        held_out: Top-1 on these held-out images, in percent.
    """

    mean: float
    std: float
    scores: list[float]
    rate: float
    decay: float
    held_out: float


class LinearLayers(NamedTuple):
    """S linear layers, evaluated together.

    Attributes:
        weight: (S, C, D).
        bias: (S, C).
    """

    weight: Tensor
    bias: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """Return the scores (S, C, B) of features (B, D), in float32."""
        scores = self.weight.flatten(0, 1).to(x.dtype) @ x.T
        return scores.float().view(*self.bias.shape, len(x)) + self.bias[..., None]

    def accuracy(self, x: Tensor, y: Tensor) -> list[float]:
        """Return the top-1 in percent of each layer on (N, D) features, (N,) labels."""
        parts = zip(x.split(4096), y.split(4096), strict=True)
        right = [(self(a).argmax(dim=1) == b).sum(dim=1) for a, b in parts]
        return [100 * int(n) / len(x) for n in torch.stack(right).sum(dim=0)]


def mean_and_std(train: Tensor) -> tuple[Tensor, Tensor]:
    """Return what batch norm without affine parameters uses, of (N, D) features."""
    return train.mean(dim=0), train.std(dim=0, correction=0) + 1e-6


def standardize(x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Standardize (N, D) features to train on.

    Training on wide features is limited by reading them. They are stored in bfloat16
    if the CPU multiplies it natively.
    """
    capabilities = getattr(torch.cpu, 'get_capabilities', dict)()  # new in torch
    native = x.device.type == 'cpu' and capabilities.get('avx512_bf16', False)
    dtype = torch.bfloat16 if native and x.shape[1] >= WIDE else torch.float32
    out = torch.empty_like(x, dtype=dtype)
    for source, target in zip(x.split(4096), out.split(4096), strict=True):
        target.copy_((source - mean) / std)
    return out


@torch.no_grad()
def train_layers(
    x: Tensor,
    y: Tensor,
    num_classes: int,
    settings: Sequence[tuple[float, float]],
    epochs: int,
    seed: int,
    optimizer: str = 'sgd',
    batch_size: int = BASE_BATCH,
    rows: Tensor | None = None,
) -> LinearLayers:
    """Train one layer per setting, all from the same start and on the same batches.

    The schedule is WarmupCosineLR's. The last, incomplete batch of an epoch is dropped.
    Biases have no weight decay, and LARS does not rescale their gradients.

    Args:
        x: (N, D) standardized features.
        y: (N,) labels.
        num_classes: Number of classes.
        settings: Learning rate (for a batch of 512) and weight decay of each layer.
        epochs: Passes over the images.
        seed: Seed of the initial weights and of the order of the images.
        optimizer: 'sgd' or 'lars'. Defaults to 'sgd'.
        batch_size: Images per step; scales the learning rate. Defaults to 512.
        rows: (M,) indices of the images to train on. Defaults to None: all.
    """
    generator = torch.Generator().manual_seed(seed)
    rows = torch.arange(len(x)) if rows is None else rows.cpu()
    batch_size = min(batch_size, len(rows))
    start = 0.01 * torch.randn(num_classes, x.shape[1], generator=generator)
    weight = start.to(x.device).repeat(len(settings), 1, 1)
    layers = LinearLayers(weight, weight.new_zeros(weight.shape[:2]))
    grads = LinearLayers(*map(torch.zeros_like, layers))
    groups = []
    for (rate, decay), w, b, *grad in zip(settings, *layers, *grads, strict=True):
        w.grad, b.grad = grad
        base = rate * batch_size / BASE_BATCH
        groups.append(dict(params=[w], base=base, weight_decay=decay))
        groups.append(dict(params=[b], base=base, weight_decay=0.0, lars_exclude=True))
    stepper = OPTIMIZERS.build(dict(OPTIMIZER_CONFIGS[optimizer], params=groups))

    batch = x.new_empty(batch_size, x.shape[1])
    columns = torch.arange(batch_size, device=x.device)
    batches = len(rows) // batch_size
    for step in range(epochs * batches):
        if step % batches == 0:
            order = rows[torch.randperm(len(rows), generator=generator)].to(x.device)
        ids = order[step % batches * batch_size :][:batch_size]
        torch.index_select(x, 0, ids, out=batch)
        # Gradient of the mean cross-entropy at the scores: softmax - one-hot.
        error = layers(batch).softmax(dim=1)
        error[:, y[ids], columns] -= 1
        error /= batch_size
        grads.weight.copy_((error.flatten(0, 1).to(x.dtype) @ batch).view_as(weight))
        grads.bias.copy_(error.sum(dim=2))
        for group in stepper.param_groups:
            group['lr'] = group['base'] * warmup_cosine(step, epochs * batches, WARMUP)
        stepper.step()
    return layers


def linear_probe(
    data: FeatureSet,
    epochs: int = 90,
    seeds: Sequence[int] = (0, 1, 2),
    rates: Sequence[float] | None = None,
    decays: Sequence[float] = DECAYS,
    search_epochs: int | None = None,
    copies: int = 1,
    optimizer: str = 'sgd',
    batch_size: int = BASE_BATCH,
) -> LinearResult:
    """Train a linear layer on frozen features and test it once per seed.

    Learning rate and weight decay are chosen on a held-out tenth of the training
    images, never on the test images.

    Args:
        data: Features of training and test images.
        epochs: Epochs of each final training. Defaults to 90.
        seeds: Seeds of the initial weights and of the order of the images.
        rates: Learning rates (for a batch of 512) to choose from. Defaults to
            ``RATES`` of the optimizer.
        decays: Weight decays to choose from. Defaults to ``DECAYS``.
        search_epochs: Epochs for the choice. Defaults to a third of ``epochs``, at
            most 90.
        copies: Copies of each training image among the features (2 with mirrored
            ones). All copies of an image are on the same side of the split. Defaults
            to 1.
        optimizer: 'sgd' or 'lars'. Defaults to 'sgd'.
        batch_size: Images per step; scales the learning rate. Defaults to 512.

    Raises:
        UserError: if the numbers of labels and features differ, or the optimizer is
            unknown.
    """
    check(
        len(data.train) == len(data.train_labels)
        and len(data.test) == len(data.test_labels)
        and len(data.train) % copies == 0,
        f'{len(data.train)} training features with {len(data.train_labels)} labels, '
        f'{len(data.test)} test features with {len(data.test_labels)} labels: the '
        'numbers must be equal',
    )
    check(
        optimizer in OPTIMIZER_CONFIGS,
        f'unknown optimizer={optimizer!r}: choose one of {sorted(OPTIMIZER_CONFIGS)}',
    )
    train, y, test, y_test = data
    classes = int(max(y.max(), y_test.max())) + 1
    options = dict(optimizer=optimizer, batch_size=batch_size)
    number = len(train) // copies
    order = torch.randperm(number, generator=torch.Generator().manual_seed(0))
    is_held_out = torch.zeros(number, dtype=torch.bool)
    is_held_out[order[: max(number // 10, 1)]] = True
    is_held_out = is_held_out.repeat(copies)

    settings = list(product(rates or RATES[optimizer], decays))
    search = search_epochs or min(max(epochs // 3, 1), 90)
    x = standardize(train, *mean_and_std(train[~is_held_out]))
    rows = (~is_held_out).nonzero()[:, 0]
    layers = train_layers(x, y, classes, settings, search, seed=0, rows=rows, **options)
    scores = layers.accuracy(x[is_held_out], y[is_held_out])
    held_out = max(scores)
    best = settings[scores.index(held_out)]

    mean, std = mean_and_std(train)
    x, x_test = standardize(train, mean, std), (test - mean) / std
    scores = []
    for seed in seeds:
        layer = train_layers(x, y, classes, [best], epochs, seed, **options)
        scores += layer.accuracy(x_test, y_test)
    values = torch.tensor(scores)
    spread = float(values.std(correction=0)) if len(scores) > 1 else 0.0
    return LinearResult(float(values.mean()), spread, scores, *best, held_out)
