"""Learning-rate schedule whose warm-up is a share of the run."""

import math

from mmengine.optim.scheduler.lr_scheduler import LRSchedulerMixin
from mmengine.optim.scheduler.param_scheduler import INF, _ParamScheduler
from mmpretrain.registry import PARAM_SCHEDULERS

from ..errors import check


def warmup_cosine(
    step: int, total: int, warmup: float, min_ratio: float = 0.0
) -> float:
    """Learning rate over the base one at ``step`` of ``total``: see the class below."""
    start = warmup * total
    if step < start:
        return (step + 1) / (start + 1)
    progress = (step - start) / max(total - start, 1)
    cosine = 0.5 * (1 + math.cos(math.pi * min(progress, 1)))
    return min_ratio + (1 - min_ratio) * cosine


@PARAM_SCHEDULERS.register_module()
class WarmupCosineLR(LRSchedulerMixin, _ParamScheduler):
    """Linear warm-up, then half a cosine, over whatever length the run has.

    mmengine's LinearLR and CosineAnnealingLR fix the warm-up in epochs; here changing
    ``train_cfg.max_epochs`` alone keeps the shape.

    Args:
        optimizer: Optimiser or its wrapper (the runner gives it).
        warmup: Share of the schedule spent on the warm-up. Defaults to 0.05.
        min_ratio: Last learning rate over the base one. Defaults to 0.
        begin, end: Steps between which the schedule runs; the runner gives ``end``.
        **kwargs: See mmengine's ``_ParamScheduler``.
    """

    def __init__(
        self,
        optimizer,
        warmup: float = 0.05,
        min_ratio: float = 0.0,
        begin: int = 0,
        end: int = INF,
        **kwargs,
    ) -> None:
        check(0 <= warmup < 1, f'warmup={warmup} is a share of the schedule: 0 to 1')
        self.warmup, self.min_ratio = warmup, min_ratio
        super().__init__(optimizer, begin=begin, end=end, **kwargs)

    @classmethod
    def build_iter_from_epoch(
        cls, *args, begin=0, end=INF, by_epoch=True, epoch_length=None, **kwargs
    ):
        """Build the scheduler that steps every iteration from one in epochs."""
        check(by_epoch, 'convert_to_iter_based needs by_epoch=True')
        begin, end = int(begin * epoch_length), int(end * epoch_length)
        return cls(*args, begin=begin, end=end, by_epoch=False, **kwargs)

    def _get_value(self) -> list[float]:
        step, total = self.last_step, self.end - self.begin
        factor = warmup_cosine(step, total, self.warmup, self.min_ratio)
        return [base * factor for base in self.base_values]
