"""The teacher that follows the student: a moving average of its weights."""

from collections.abc import Sequence
from math import cos, pi

from mmpretrain.registry import MODELS
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from ..errors import check
from .stage import StageEncoder


@MODELS.register_module()
class EMAEncoder(StageEncoder):
    """An exponential moving average of the student's encoder (MAE-EMA, BootMAE).

    With :class:`BootstrapHook` and ``boundaries=[E]`` it takes the student's weights at
    epoch E and follows the student from then on.

    Args:
        decay: Share of the old average that is kept in a step: one number; a sequence
            of points (epoch, decay), linear between them and constant outside; or
            ``dict(start=a, end=b)``, half a cosine over the run (BYOL). Defaults to
            0.999.
        base_batch_size: The batch, of all processes, that the decay is for. A step of B
            images keeps ``decay ** (B / base_batch_size)``, so that the average goes
            over as many images whatever the batch (Busbridge et al. 2023). Defaults to
            None: the decay is that of a step.
        **kwargs: See :class:`StageEncoder`.

    Raises:
        UserError: if a decay is outside [0, 1], the epochs do not increase, or
            base_batch_size is no whole number from 1.
    """

    def __init__(
        self,
        decay: float | Sequence[tuple[float, float]] | dict = 0.999,
        base_batch_size: int | None = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if isinstance(decay, dict):
            check(
                set(decay) == {'start', 'end'},
                f'decay={dict(decay)} needs the keys start and end',
            )
            values, epochs = [decay['start'], decay['end']], []
        elif isinstance(decay, Sequence):
            epochs, values = zip(*decay, strict=True)
        else:
            epochs, values = [0], [decay]
            decay = [(0, decay)]
        check(
            all(0 <= value <= 1 for value in values),
            f'decay={decay}: a decay must lie between 0 and 1, such as 0.999',
        )
        check(
            list(epochs) == sorted(set(epochs)),
            f'decay={decay}: the epochs of its points must increase',
        )
        check(
            base_batch_size is None
            or isinstance(base_batch_size, int)
            and base_batch_size >= 1,
            f'base_batch_size={base_batch_size!r} must be a whole number from 1, the '
            'batch of all processes that the decay is for, or None',
        )
        self.decay, self.base_batch_size = decay, base_batch_size

    def decay_at(self, epoch: float, max_epochs: int) -> float:
        """Return the decay in an epoch, counted from 0."""
        if isinstance(self.decay, dict):
            start, end = self.decay['start'], self.decay['end']
            return end - (end - start) * 0.5 * (1 + cos(pi * epoch / max_epochs))
        before = max((p for p in self.decay if p[0] <= epoch), default=self.decay[0])
        after = min((p for p in self.decay if p[0] > epoch), default=before)
        if after[0] <= before[0]:
            return before[1]
        share = (epoch - before[0]) / (after[0] - before[0])
        return before[1] + max(share, 0.0) * (after[1] - before[1])

    def update(
        self, student: nn.Module, epoch: int, max_epochs: int, batch_size: int
    ) -> None:
        """Average the student's weights: ``own = d * own + (1 - d) * student``."""
        steps = batch_size / (self.base_batch_size or batch_size)
        average = get_ema_multi_avg_fn(self.decay_at(epoch, max_epochs) ** steps)
        average(list(self.encoder.parameters()), list(student.parameters()), None)
