"""Attentive probe: attention pooling and a linear layer, trained on frozen tokens."""

from collections.abc import Sequence
from itertools import product
from math import gcd

import torch
import torch.nn.functional as F
from timm.layers import AttentionPoolLatent
from torch import Tensor, nn

from .features import FeatureSet
from .linear_layers import BASE_BATCH, draw_batches
from .linear_probe import LinearResult, choose_and_test

# Of AdamW, for a batch of 512.
RATES = (1e-3, 3e-3, 1e-2)
DECAYS = (0.01,)
HEADS = 8


class AttentiveClassifier(nn.Module):
    """One learned query that attends to the tokens, and a linear layer.

    The pooling is timm's ``AttentionPoolLatent`` with its defaults: cross-attention,
    then an MLP with a residual connection, as in the attentive probe of V-JEPA (Bardes
    et al. 2024).

    Args:
        width: Width D of the tokens. There are 8 heads, or as many as divide it.
        num_classes: Number of classes.
    """

    def __init__(self, width: int, num_classes: int) -> None:
        super().__init__()
        self.pool = AttentionPoolLatent(width, num_heads=gcd(HEADS, width))
        self.fc = nn.Linear(width, num_classes)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the scores (B, C) of tokens (B, L, D)."""
        return self.fc(self.pool(tokens))


class AttentiveClassifiers(list[AttentiveClassifier]):
    """Classifiers of the same tokens, one for each setting."""

    @torch.no_grad()
    def accuracy(self, x: Tensor, y: Tensor) -> list[float]:
        """Return the top-1 in percent of each on tokens (N, L, D), labels (N,)."""
        right = [0] * len(self)
        for tokens, labels in zip(x.split(1024), y.split(1024), strict=True):
            for i, model in enumerate(self):
                scores = model(tokens.float())
                right[i] += int((scores.argmax(dim=1) == labels).sum())
        return [100 * n / len(x) for n in right]


def train_attentive(
    x: Tensor,
    y: Tensor,
    num_classes: int,
    settings: Sequence[tuple[float, float]],
    epochs: int,
    seed: int,
    rows: Tensor,
    batch_size: int = BASE_BATCH,
) -> AttentiveClassifiers:
    """Train one attentive classifier per setting by AdamW.

    All start from the same weights and see the same batches, those of
    :func:`draw_batches`. An epoch has at least ten steps, of smaller batches if there
    are few images.

    Args:
        x: (N, L, D) standardized tokens.
        y: (N,) labels.
        num_classes: Number of classes.
        settings: Learning rate (for a batch of 512) and weight decay of each.
        epochs: Passes over the images.
        seed: Seed of the initial weights and of the order of the images.
        rows: (M,) indices of the images to train on.
        batch_size: Images per step; its root scales the learning rate, as Adam needs it
            (Malladi et al. 2022). Defaults to 512.
    """
    batch_size = min(batch_size, max(len(rows) // 10, 1))
    trained = AttentiveClassifiers()
    for rate, decay in settings:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model = AttentiveClassifier(x.shape[2], num_classes).to(x.device)
        generator = torch.Generator().manual_seed(seed)
        base = rate * (batch_size / BASE_BATCH) ** 0.5
        stepper = torch.optim.AdamW(
            model.parameters(), lr=base, weight_decay=decay, fused=True
        )
        for ids, factor in draw_batches(rows, batch_size, epochs, generator):
            ids = ids.to(x.device)
            for group in stepper.param_groups:
                group['lr'] = base * factor
            # Wide tokens are in bfloat16 where the CPU multiplies it natively.
            half = x.dtype == torch.bfloat16
            with torch.autocast(x.device.type, torch.bfloat16, enabled=half):
                loss = F.cross_entropy(model(x[ids]), y[ids])
            stepper.zero_grad()
            loss.backward()
            stepper.step()
        trained.append(model.eval())
    return trained


def attentive_probe(
    data: FeatureSet,
    epochs: int = 90,
    seeds: Sequence[int] = (0, 1, 2),
    search_epochs: int | None = None,
    copies: int = 1,
    batch_size: int = BASE_BATCH,
) -> LinearResult:
    """Train an attentive classifier on frozen tokens and test it once per seed.

    The learning rate is chosen among ``RATES`` on held-out training images; see
    :func:`choose_and_test`.

    Args:
        data: Tokens (N, L, D) of training and test images.
        epochs, seeds, search_epochs, copies, batch_size: As of :func:`linear_probe`.
    """

    def train(*args) -> AttentiveClassifiers:
        return train_attentive(*args, batch_size=batch_size)

    settings = list(product(RATES, DECAYS))
    return choose_and_test(data, settings, train, epochs, seeds, search_epochs, copies)
