"""Pictures of predictions: their colors, and which images the hook draws."""

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip('mmseg', reason='mmsegmentation is not installed (extra: seg)')

from bootmae_plugin import UserError
from bootmae_plugin.images import overlay
from bootmae_plugin.segmentation import SegmentationPictureHook


def test_overlay_mixes_the_image_with_the_color_of_the_class():
    image = np.full((1, 3, 3), 100, dtype=np.uint8)
    labels = np.array([[0, 1, 255]])  # 255 is outside the palette: black
    picture = overlay(image, labels, [(200, 0, 0), (0, 0, 255)])
    # .45 * 100 + .55 * color
    assert picture.tolist() == [[[155, 45, 45], [45, 45, 185], [45, 45, 45]]]


@pytest.mark.parametrize(
    ('number', 'batches', 'expected'),
    [(0, 10, set()), (1, 9, {4}), (4, 8, {0, 2, 4, 6}), (4, 2, {0, 1})],
)
def test_the_drawn_images_are_spread_over_the_test_set(number, batches, expected):
    hook = SegmentationPictureHook(number)
    hook.before_test_epoch(SimpleNamespace(test_dataloader=range(batches)))
    assert hook._chosen == expected


def test_a_wrong_number_or_interval():
    with pytest.raises(UserError, match='number=-1, interval=1: number must be 0'):
        SegmentationPictureHook(-1)
    with pytest.raises(UserError, match='number=4, interval=0: number must be 0'):
        SegmentationPictureHook(interval=0)
