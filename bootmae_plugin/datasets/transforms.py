"""What the data set in memory does to an image, as a transform of one image."""

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.utils import to_2tuple
from mmpretrain.registry import TRANSFORMS
from PIL import Image

from ..images import resize_and_crop


@TRANSFORMS.register_module()
class CoverCrop(BaseTransform):
    """Make an image what :class:`InMemoryImages` makes of it: RGB, resized and cropped.

    mmpretrain's inferencers read images as BGR and then apply the ``pipeline`` of the
    test data set. With this transform they give the model the same pixels as the data
    set.

    Args:
        size: Side in pixels, or (height, width), see :func:`resize_and_crop`.
    """

    def __init__(self, size: int | tuple[int, int]) -> None:
        self.size = tuple(to_2tuple(size))

    def transform(self, results: dict) -> dict:
        """Replace ``img`` (H, W, 3) in BGR by (height, width, 3) in RGB, uint8."""
        image = Image.fromarray(np.ascontiguousarray(results['img'][..., ::-1]))
        results['img'] = np.array(resize_and_crop(image, self.size))
        results['img_shape'] = self.size
        return results
