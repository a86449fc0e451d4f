"""Hook that draws the predictions of a segmentation test."""

from pathlib import Path

import numpy as np
from mmengine import dist
from mmengine.hooks import Hook
from mmpretrain.registry import HOOKS
from PIL import Image

from ..errors import check


@HOOKS.register_module()
class SegmentationPictureHook(Hook):
    """Draw image, truth and prediction into ``<work_dir>/predictions.png``.

    The images are spread evenly over the test set (over rank 0's share of it in a
    distributed test). ``tools/test.py --show-dir`` sets the last three arguments, as
    for mmpretrain's ``VisualizationHook``.

    Args:
        number: Images in ``predictions.png``; 0 draws none. Defaults to 4.
        enable: Also write one picture per image. Defaults to False.
        interval: With ``enable``, every n-th image only. Defaults to 1.
        out_dir: With ``enable``, the folder of these pictures. Defaults to None:
            ``<work_dir>/predictions``.

    Raises:
        UserError: if ``number`` is negative or ``interval`` is not positive.
    """

    priority = 'LOW'  # runs before the terminal prints its summary

    def __init__(
        self,
        number: int = 4,
        enable: bool = False,
        interval: int = 1,
        out_dir: str | None = None,
    ) -> None:
        check(
            number >= 0 and interval > 0,
            f'number={number}, interval={interval}: number must be 0 or more, interval '
            '1 or more',
        )
        self.number, self.enable, self.interval = number, enable, interval
        self.out_dir = out_dir

    def before_test_epoch(self, runner) -> None:
        """Choose the batches to draw from."""
        self._drawn, self._num_seen = [], 0
        batches = len(runner.test_dataloader)
        count = min(self.number, batches)
        self._chosen = {round((i + 0.5) * batches / count - 0.5) for i in range(count)}

    def after_test_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        """Keep the first image of a chosen batch; write single pictures."""
        if not dist.is_main_process():
            return
        if batch_idx in self._chosen:
            self._drawn.append(_read_sample(outputs[0]))
        for sample in outputs:
            if self.enable and self._num_seen % self.interval == 0:
                folder = Path(self.out_dir or Path(runner.work_dir) / 'predictions')
                name = Path(sample.img_path).stem + '.png'
                self._save(runner, [_read_sample(sample)], folder / name)
            self._num_seen += 1

    def after_test_epoch(self, runner, metrics=None) -> None:
        """Write ``predictions.png``, with the IoU of each class."""
        if not self._drawn:
            return
        scores = {
            key.removeprefix('IoU/'): value
            for key, value in (metrics or {}).items()
            if key.startswith('IoU/')
        }
        path = Path(runner.work_dir) / 'predictions.png'
        self._save(runner, self._drawn, path, scores)
        runner.logger.info(f'picture: {path}')

    def _save(self, runner, samples: list, path: Path, scores=None) -> None:
        from .pictures import save_predictions

        meta = runner.test_dataloader.dataset.metainfo
        save_predictions(
            *zip(*samples, strict=True), meta['classes'], meta['palette'], path, scores
        )


def _read_sample(sample) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the image from its file, its labels and its predictions, of equal size."""
    labels = [
        getattr(sample, key).data.squeeze(0).cpu().numpy()
        for key in ('gt_sem_seg', 'pred_sem_seg')
    ]
    with Image.open(sample.img_path) as image:
        image = image.convert('RGB').resize(labels[0].shape[::-1])
    return np.asarray(image), *labels
