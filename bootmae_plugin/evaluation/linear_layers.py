"""Linear layers on features: trained by SGD or LARS, or solved by L-BFGS."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from mmpretrain.registry import OPTIMIZERS
from torch import Tensor

from ..engine.schedulers import warmup_cosine
from ..errors import UserError, check

# For a batch of 512, as in configs/_base_/schedules/linear_90e.py. Narrow features need
# high rates, wide ones low: on CIFAR-10 64 flattened tokens .01, their mean .3 to 1.
# LARS' .1 is the rate of the DeiT-Tiny / CIFAR-10 report, 5e-2 x batch / 256.
RATES = dict(
    sgd=(0.003, 0.01, 0.03, 0.1, 0.3, 1.0),
    lars=(0.1, 0.3, 1.0, 3.0, 10.0, 30.0),
)
OPTIMIZER_CONFIGS = dict(
    sgd=dict(type='SGD', lr=0.0, momentum=0.9),
    lars=dict(type='LARS', lr=0.0, momentum=0.9),
)
BASE_BATCH, WARMUP = 512, 0.1
MAX_ITERATIONS = 1000


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


def draw_batches(
    rows: Tensor, batch_size: int, epochs: int, generator: torch.Generator
) -> Iterator[tuple[Tensor, float]]:
    """Yield the batches of a training, and WarmupCosineLR's factor for each.

    The last, incomplete batch of an epoch is dropped.

    Args:
        rows: (M,) indices of the images, on the CPU.
        batch_size: Images B per step, at most M.
        epochs: Passes over the images, each in another order.
        generator: Draws the orders.

    Returns:
        (B,) indices, and the factor of the learning rate.
    """
    batches = len(rows) // batch_size
    for step in range(epochs * batches):
        if step % batches == 0:
            order = rows[torch.randperm(len(rows), generator=generator)]
        ids = order[step % batches * batch_size :][:batch_size]
        yield ids, warmup_cosine(step, epochs * batches, WARMUP)


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

    Batches and schedule are those of :func:`draw_batches`. Biases have no weight decay,
    and LARS does not rescale their gradients.

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
    for ids, factor in draw_batches(rows, batch_size, epochs, generator):
        ids = ids.to(x.device)
        torch.index_select(x, 0, ids, out=batch)
        # Gradient of the mean cross-entropy at the scores: softmax - one-hot.
        error = layers(batch).softmax(dim=1)
        error[:, y[ids], columns] -= 1
        error /= batch_size
        grads.weight.copy_((error.flatten(0, 1).to(x.dtype) @ batch).view_as(weight))
        grads.bias.copy_(error.sum(dim=2))
        for group in stepper.param_groups:
            group['lr'] = group['base'] * factor
        stepper.step()
    return layers


def solve_layers(
    x: Tensor,
    y: Tensor,
    num_classes: int,
    decays: Sequence[float],
    rows: Tensor | None = None,
) -> LinearLayers:
    """Solve for one layer per weight decay by scikit-learn's L-BFGS.

    The weight decay is that of :func:`train_layers`: the layer minimizes the mean
    cross-entropy plus half the weight decay times the sum of the squared weights.

    Args:
        x: (N, D) standardized features.
        y: (N,) labels.
        num_classes: Number of classes; those without an image are never predicted.
        decays: Weight decay of each layer.
        rows: (M,) indices of the images to train on. Defaults to None: all.

    Raises:
        UserError: if scikit-learn is missing, or there is only one class.
    """
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise UserError(
            'lbfgs needs scikit-learn, which is not installed: pip install scikit-learn'
        ) from error
    if rows is not None:
        x, y = x[rows], y[rows]
    features, labels = x.float().cpu().numpy(), y.cpu().numpy()
    classes = len(np.unique(labels))
    check(classes > 1, 'lbfgs needs training images of two classes or more')
    weight = torch.zeros(len(decays), num_classes, x.shape[1])
    bias = torch.full((len(decays), num_classes), -torch.inf)
    for i, decay in enumerate(decays):
        # Of two classes scikit-learn has one vector, the difference of ours, whose
        # square is twice the sum of our squares.
        scale = 2 if classes == 2 else 1
        strength = scale / (decay * len(x)) if decay > 0 else np.inf
        model = LogisticRegression(C=strength, max_iter=MAX_ITERATIONS)
        model.fit(features, labels)
        coefficients, intercepts = map(
            torch.from_numpy, (model.coef_, model.intercept_)
        )
        if classes == 2:
            coefficients = torch.cat([-coefficients, coefficients]) / 2
            intercepts = torch.cat([-intercepts, intercepts]) / 2
        weight[i, model.classes_] = coefficients.float()
        bias[i, model.classes_] = intercepts.float()
    return LinearLayers(weight.to(x.device), bias.to(x.device))
