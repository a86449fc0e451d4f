"""Label maps of images that are in memory, by mmsegmentation's own inference."""

from collections.abc import Sequence

import numpy as np
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmseg.apis import inference_model
from torch import nn

from ..errors import check


def set_test_pipeline(model: nn.Module, cfg: Config) -> None:
    """Tell a segmentor how its test images are prepared, as ``init_model`` does.

    Args:
        model: The segmentor.
        cfg: The config of its run.
    """
    pipeline = cfg.test_dataloader.dataset.pipeline
    first = pipeline[0].get('type') if pipeline else None
    check(
        first == 'LoadImageFromFile',
        f'the test pipeline of the run begins with {first}, expected LoadImageFromFile',
    )
    model.cfg = Config(dict(test_pipeline=pipeline))


def predict_maps(model: nn.Module, images: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Predict the label maps (H, W) of images (H, W, 3) uint8 in RGB.

    Args:
        model: A segmentor after :func:`set_test_pipeline`, in eval mode.
        images: Of one size.
    """
    bgr = [np.ascontiguousarray(image[..., ::-1]) for image in images]
    with DefaultScope.overwrite_default_scope('mmseg'):
        samples = inference_model(model, bgr)
    return [sample.pred_sem_seg.data[0].cpu().numpy() for sample in samples]
