"""Pictures of a segmentation test: what was predicted, over the images."""

from pathlib import Path

import numpy as np
from mmengine import dist
from mmengine.hooks import Hook
from mmpretrain.registry import HOOKS
from PIL import Image

from ..errors import check


@HOOKS.register_module()
class SegmentationPictureHook(Hook):
    """Test images | truth | prediction, in ``<work_dir>/predictions.png``.

    The images are spread evenly over the test set; in a distributed test they are rank
    0's. ``tools/test.py --show-dir`` sets the last three arguments, as for mmpretrain's
    ``VisualizationHook``.

    Args:
        number: Images in the picture; 0 draws none. Defaults to 4.
        enable: Also write a picture of its own for images of the test set. Defaults to
            False.
        interval: Of every n-th image. Defaults to 1.
        out_dir: Into this folder. Defaults to None: ``<work_dir>/predictions``.
    """

    priority = 'LOW'  # before the terminal's summary

    def __init__(
        self,
        number: int = 4,
        enable: bool = False,
        interval: int = 1,
        out_dir: str | None = None,
    ) -> None:
        check(
            number >= 0 and interval > 0,
            f'number={number} must not be negative, interval={interval} must be '
            'positive',
        )
        self.number, self.enable, self.interval = number, enable, interval
        self.out_dir = out_dir

    def before_test_epoch(self, runner) -> None:
        self._kept, self._seen = [], 0
        batches = len(runner.test_dataloader)
        count = min(self.number, batches)
        self._wanted = {round((i + 0.5) * batches / count - 0.5) for i in range(count)}

    def after_test_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        if not dist.is_main_process():
            return
        if batch_idx in self._wanted:
            self._kept.append(_picture(outputs[0]))
        for sample in outputs:
            if self.enable and self._seen % self.interval == 0:
                folder = Path(self.out_dir or Path(runner.work_dir) / 'predictions')
                name = Path(sample.img_path).stem + '.png'
                self._save(runner, [_picture(sample)], folder / name)
            self._seen += 1

    def after_test_epoch(self, runner, metrics=None) -> None:
        if not self._kept:
            return
        scores = {
            key.removeprefix('IoU/'): value
            for key, value in (metrics or {}).items()
            if key.startswith('IoU/')
        }
        path = Path(runner.work_dir) / 'predictions.png'
        self._save(runner, self._kept, path, scores)
        runner.logger.info(f'picture: {path}')

    def _save(self, runner, pictures: list, path: Path, scores=None) -> None:
        from .pictures import save_predictions

        meta = runner.test_dataloader.dataset.metainfo
        save_predictions(
            *zip(*pictures, strict=True), meta['classes'], meta['palette'], path, scores
        )


def _picture(sample) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The image as it is on disk, its labels and the predicted ones, of one size."""
    labels = [
        getattr(sample, key).data.squeeze(0).cpu().numpy()
        for key in ('gt_sem_seg', 'pred_sem_seg')
    ]
    with Image.open(sample.img_path) as image:
        image = image.convert('RGB').resize(labels[0].shape[::-1])
    return np.asarray(image), *labels
