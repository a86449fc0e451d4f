"""ClassIoU equals a loop over the pixels."""

import numpy as np
import pytest
import torch

pytest.importorskip('mmseg', reason='mmsegmentation is not installed (extra: seg)')

from bootmae_plugin.segmentation import ClassIoU

VOID = 255


def loop_over_pixels(truths, predictions, number):
    ious = []
    for c in range(number):
        both = either = 0
        for truth, prediction in zip(truths, predictions, strict=True):
            pairs = torch.stack([truth, prediction]).flatten(1).T
            for t, p in pairs.tolist():
                if t != VOID:
                    both += t == c and p == c
                    either += t == c or p == c
        ious.append(100 * both / either if either else float('nan'))
    return ious


def sample(truth, prediction):
    return dict(
        gt_sem_seg=dict(data=truth[None]), pred_sem_seg=dict(data=prediction[None])
    )


def metric(number):
    iou = ClassIoU(ignore_index=VOID)
    iou.dataset_meta = dict(classes=[f'c{i}' for i in range(number)])
    return iou


def test_equals_a_loop_that_skips_void():
    generator = torch.Generator().manual_seed(0)
    truths = [torch.randint(0, 4, (6, 5), generator=generator) for _ in range(3)]
    predictions = [torch.randint(0, 4, (6, 5), generator=generator) for _ in range(3)]
    truths[0][:2] = VOID
    iou = metric(5)  # class 4 does not occur
    iou.process({}, [sample(t, p) for t, p in zip(truths, predictions, strict=True)])
    found = iou.compute_metrics(iou.results)
    expected = loop_over_pixels(truths, predictions, 5)
    ours = [found[f'IoU/c{i}'] for i in range(5)]
    np.testing.assert_allclose(ours, expected, rtol=1e-5)
    assert np.isnan(ours[4])
    assert found['mIoU'] == pytest.approx(np.nanmean(expected), abs=0.01)


def test_perfect_predictions_and_an_image_of_void():
    truth = torch.arange(4).reshape(2, 2)
    iou = metric(4)
    iou.process({}, [sample(truth, truth), sample(torch.full((2, 2), VOID), truth)])
    found = iou.compute_metrics(iou.results)
    assert found['mIoU'] == 100
    assert [found[f'IoU/c{i}'] for i in range(4)] == [100] * 4
