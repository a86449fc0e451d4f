"""Learning-rate schedule whose warm-up is a fraction of the run."""

import math

from mmengine.optim.scheduler.lr_scheduler import LRSchedulerMixin
from mmengine.optim.scheduler.param_scheduler import INF, _ParamScheduler
from mmpretrain.registry import PARAM_SCHEDULERS

from ..errors import check


def warmup_cosine(
    step: int, total: int, warmup: float, min_ratio: float = 0.0
) -> float:
    """Return the factor of the base learning rate at ``step`` of ``total`` steps.

    Args and schedule: see :class:`WarmupCosineLR`.
    """
    start = warmup * total
    if step < start:
        return (step + 1) / (start + 1)
    progress = (step - start) / max(total - start, 1)
    cosine = 0.5 * (1 + math.cos(math.pi * min(progress, 1)))
    return min_ratio + (1 - min_ratio) * cosine


@PARAM_SCHEDULERS.register_module()
class WarmupCosineLR(LRSchedulerMixin, _ParamScheduler):
    """Linear warm-up, then half a cosine.

    mmengine's LinearLR and CosineAnnealingLR count the warm-up in epochs. Here it is a
    fraction of the schedule, so a change of ``train_cfg.max_epochs`` keeps the shape.

    Args:
        optimizer: The optimizer or its wrapper (given by the runner).
        warmup: Fraction of the schedule that is warm-up, from 0 to below 1. Defaults to
            0.05.
        min_ratio: The last learning rate as a fraction of the base one. Defaults to 0.
        begin: First step of the schedule. Defaults to 0.
        end: Step after the last one (given by the runner).
        **kwargs: See mmengine's ``_ParamScheduler``.

    Raises:
        UserError: if ``warmup`` is out of range.
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
        check(
            0 <= warmup < 1,
            f'warmup={warmup} must be a fraction of the schedule: from 0 to below 1',
        )
        self.warmup, self.min_ratio = warmup, min_ratio
        super().__init__(optimizer, begin=begin, end=end, **kwargs)

    @classmethod
    def build_iter_from_epoch(
        cls, *args, begin=0, end=INF, by_epoch=True, epoch_length=None, **kwargs
    ):
        """Build a scheduler that counts iterations from settings in epochs."""
        check(by_epoch, 'convert_to_iter_based needs by_epoch=True')
        begin, end = int(begin * epoch_length), int(end * epoch_length)
        return cls(*args, begin=begin, end=end, by_epoch=False, **kwargs)

    def _get_value(self) -> list[float]:
        step, total = self.last_step, self.end - self.begin
        factor = warmup_cosine(step, total, self.warmup, self.min_ratio)
        return [base * factor for base in self.base_values]
