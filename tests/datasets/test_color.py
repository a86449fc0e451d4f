"""Batch color augmentation equals torchvision's, image by image."""

import pytest
import torch
from torchvision.transforms.v2 import functional

from bootmae_plugin import UserError
from bootmae_plugin.datasets import BatchColorJitter
from bootmae_plugin.datasets.color import adjust, to_gray


def test_the_adjustments_are_those_of_torchvision():
    images = torch.randint(256, (6, 3, 16, 16)).float()
    factors = torch.rand(3, 6) * 2
    factors[:, 0] = 1
    ours = adjust(images, *factors)
    for image, result, (one, two, three) in zip(
        images, ours, factors.T.tolist(), strict=True
    ):
        expected = functional.adjust_brightness(image / 255, one)
        expected = functional.adjust_contrast(expected, two)
        expected = functional.adjust_saturation(expected, three)
        assert torch.allclose(result / 255, expected, atol=1e-5)
    assert torch.allclose(ours[0], images[0], atol=1e-4)
    gray = functional.rgb_to_grayscale(images / 255)
    assert torch.allclose(to_gray(images) / 255, gray, atol=1e-5)


def test_factors_and_probabilities_are_those_asked_for():
    torch.manual_seed(0)
    jitter = BatchColorJitter(0.4, 0.2, 1.5, prob=0.8)
    images = torch.rand(20000, 3, 1, 1)
    factors = torch.stack(jitter.factors(images))
    changed = factors[:, (factors != 1).any(dim=0)]
    assert changed.shape[1] / 20000 == pytest.approx(0.8, abs=0.01)
    for values, low, high in zip(changed, (0.6, 0.8, 0), (1.4, 1.2, 2.5), strict=True):
        assert low <= values.min() < low + 0.01 and high - 0.01 < values.max() <= high
        assert values.mean() == pytest.approx((low + high) / 2, abs=0.02)
    correlation = torch.corrcoef(changed)[~torch.eye(3, dtype=torch.bool)]
    assert correlation.abs().max() < 0.03  # independent of each other

    images = torch.rand(5000, 3, 2, 2) * 255
    out = BatchColorJitter(prob=0, gray_prob=0.2)(images)
    gray = (out[:, 0] == out[:, 2]).flatten(1).all(dim=1)
    assert gray.float().mean() == pytest.approx(0.2, abs=0.02)
    assert torch.allclose(out[~gray], images[~gray], atol=1e-4)
    assert torch.allclose(out[gray], to_gray(images[gray]).expand(-1, 3, -1, -1))


def test_mixed_precision_does_not_touch_the_pixels():
    images, results = torch.rand(4, 3, 8, 8) * 255, []
    for enabled in (False, True):
        torch.manual_seed(0)
        with torch.autocast('cpu', dtype=torch.bfloat16, enabled=enabled):
            results.append(BatchColorJitter()(images))
    assert torch.equal(*results)


def test_bad_input():
    with pytest.raises(UserError, match='must not be negative'):
        BatchColorJitter(brightness=-0.1)
    with pytest.raises(UserError, match='prob=1.5'):
        BatchColorJitter(prob=1.5)
    with pytest.raises(UserError, match='needs RGB images, got 1 channels'):
        BatchColorJitter()(torch.zeros(2, 1, 4, 4))
