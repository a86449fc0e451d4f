"""Metric: mIoU, and the IoU of every class."""

from mmseg.evaluation import IoUMetric
from mmseg.registry import METRICS


@METRICS.register_module()
class ClassIoU(IoUMetric):
    """mmsegmentation's ``IoUMetric`` that also returns the IoU of every class.

    The results are ``aAcc``, ``mIoU``, ``mAcc`` and, for every class, ``IoU/<class>``:
    intersection over union of all pixels of the data set, in percent. A class that is
    neither labeled nor predicted has NaN and does not count in ``mIoU``.

    Args:
        ignore_index: Label of the pixels that are not evaluated. Defaults to 255.
        **kwargs: Arguments of ``IoUMetric``.
    """

    def __init__(self, ignore_index: int = 255, **kwargs) -> None:
        super().__init__(ignore_index=ignore_index, iou_metrics=['mIoU'], **kwargs)

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Return the metrics of the data set, in percent."""
        metrics = super().compute_metrics(results)
        if self.format_only:
            return metrics
        intersection, union = (sum(r[i] for r in results) for i in (0, 1))
        iou = (100 * intersection / union).tolist()
        names = self.dataset_meta['classes']
        return metrics | {f'IoU/{n}': v for n, v in zip(names, iou, strict=True)}
