"""mIoU with the figure of every class (needs mmsegmentation)."""

from mmseg.evaluation import IoUMetric
from mmseg.registry import METRICS


@METRICS.register_module()
class ClassIoU(IoUMetric):
    """mmsegmentation's ``IoUMetric``, which returns what it only prints to the log.

    Beside ``aAcc``, ``mIoU`` and ``mAcc`` there is ``IoU/<class>`` in percent for every
    class: intersection over union of all pixels of the data set, NaN for a class that
    is neither there nor predicted (it does not count in the mean).
    """

    def __init__(self, ignore_index: int = 255, **kwargs) -> None:
        super().__init__(ignore_index=ignore_index, iou_metrics=['mIoU'], **kwargs)

    def compute_metrics(self, results: list) -> dict[str, float]:
        metrics = super().compute_metrics(results)
        if self.format_only:
            return metrics
        intersection, union = (sum(r[i] for r in results) for i in (0, 1))
        share = (100 * intersection / union).tolist()
        names = self.dataset_meta['classes']
        return metrics | {f'IoU/{n}': s for n, s in zip(names, share, strict=True)}
