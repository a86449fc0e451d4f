"""Whole-batch augmentation equals torchvision's, in values and in distribution."""

import pytest
import torch
from torchvision.transforms import InterpolationMode, v2
from torchvision.transforms.functional import pad, resized_crop

from bootmae_plugin import UserError
from bootmae_plugin.datasets import BatchPadCrop, BatchRandomResizedCrop
from bootmae_plugin.datasets.augment import resample, resample_matrix, resample_table

MODES = dict(bilinear=InterpolationMode.BILINEAR, bicubic=InterpolationMode.BICUBIC)
BOXES = [[0, 0, 32, 32], [3, 5, 20, 27], [10, 0, 15, 15], [31, 31, 1, 1], [0, 4, 9, 28]]


@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize('out', [32, 48, 12])
@pytest.mark.parametrize('flip', [False, True])
def test_values_equal_torchvision(mode, out, flip):
    images = torch.rand(len(BOXES), 3, 32, 32)
    flips = torch.full((len(BOXES),), flip)
    ours = resample(images, torch.tensor(BOXES), out, flips, mode, inside=True)
    for image, box, result in zip(images, BOXES, ours, strict=True):
        expected = resized_crop(image, *box, [out, out], MODES[mode], antialias=True)
        expected = expected.flip(-1) if flip else expected
        assert torch.allclose(result, expected, atol=2e-5)


def test_pad_crop_equals_torchvision():
    images = torch.rand(200, 3, 32, 32)
    transform = BatchPadCrop(32, padding=4, flip_prob=0.0)
    torch.manual_seed(1)
    ours = transform(images)
    torch.manual_seed(1)
    torch.rand(200)  # the flips are drawn first
    boxes = transform.boxes(images)
    padded = pad(images, [4])
    for image, (top, left, h, w), result in zip(padded, boxes, ours, strict=True):
        expected = image[:, top + 4 : top + 4 + h, left + 4 : left + 4 + w]
        assert torch.allclose(result, expected, atol=1e-6)
    assert set(boxes[:, 0].tolist()) == set(range(-4, 5))


def kolmogorov_smirnov(a, b):
    """Largest distance of two empirical distribution functions."""
    grid = torch.cat([a, b]).sort().values
    cdf = [torch.searchsorted(x.sort().values, grid, right=True) / len(x)
           for x in (a, b)]  # fmt: skip
    return float((cdf[0] - cdf[1]).abs().max())


@pytest.mark.parametrize(
    ('size', 'scale', 'ratio'),
    [
        ((32, 32), (0.2, 1.0), (3 / 4, 4 / 3)),
        ((32, 32), (0.08, 0.3), (3 / 4, 4 / 3)),
        ((20, 64), (0.5, 1.0), (3 / 4, 4 / 3)),  # mostly the central fallback
        ((64, 20), (0.2, 1.0), (0.5, 1.0)),
    ],
)
def test_boxes_are_distributed_as_torchvisions(size, scale, ratio):
    n = 4000
    ours = BatchRandomResizedCrop(32, scale, ratio).boxes(torch.empty(n, 3, *size))
    image = torch.empty(3, *size)
    transform = v2.RandomResizedCrop(32, scale=scale, ratio=ratio, antialias=True)
    theirs = [transform.make_params([image]) for _ in range(n)]
    theirs = torch.tensor(
        [[p[k] for k in ('top', 'left', 'height', 'width')] for p in theirs]
    )
    # Two samples of one distribution differ by more than this once in 10^6 tests.
    limit = 2.7 * (2 / n) ** 0.5
    for name, f in dict(
        top=lambda b: b[:, 0],
        left=lambda b: b[:, 1],
        height=lambda b: b[:, 2],
        width=lambda b: b[:, 3],
        area=lambda b: b[:, 2] * b[:, 3],
        aspect=lambda b: b[:, 3] / b[:, 2],
    ).items():
        assert kolmogorov_smirnov(f(ours).float(), f(theirs).float()) < limit, name


def test_the_test_of_distributions_can_fail():
    a, b = torch.rand(4000), torch.rand(4000) ** 1.2
    assert kolmogorov_smirnov(a, b) > 2.7 * (2 / 4000) ** 0.5


def test_half_the_images_are_mirrored_and_samples_differ():
    images = torch.arange(32.0).expand(4000, 1, 32, 32)
    out = BatchRandomResizedCrop(32, scale=(1, 1), ratio=(1, 1))(images)
    mirrored = (out[:, 0, 0, 0] > out[:, 0, 0, -1]).float().mean()
    assert abs(float(mirrored) - 0.5) < 6 * 0.5 / 4000**0.5
    out = BatchRandomResizedCrop(32)(torch.rand(1, 3, 32, 32).expand(8, -1, -1, -1))
    assert len({tuple(x.flatten()[:5].tolist()) for x in out}) == 8


@pytest.mark.parametrize(
    ('transform', 'words'),
    [
        (lambda: BatchRandomResizedCrop(32, scale=(0.5, 2)), 'scale=.0.5, 2.'),
        (lambda: BatchRandomResizedCrop(32, interpolation='lanczos'), 'lanczos'),
        (lambda: BatchRandomResizedCrop(0), 'size=0'),
        (lambda: BatchRandomResizedCrop(32, flip_prob=2), 'flip_prob=2'),
        (lambda: BatchPadCrop(32, padding=-1), 'padding=-1'),
        (lambda: BatchPadCrop(64)(torch.rand(1, 3, 32, 32)), 'size=64 is larger'),
    ],
)
def test_bad_input(transform, words):
    with pytest.raises(UserError, match=words):
        transform()


def test_mixed_precision_does_not_touch_the_pixels():
    images = torch.rand(4, 3, 40, 40) * 255
    crop = BatchRandomResizedCrop(32)
    torch.manual_seed(0)
    exact = crop(images)
    torch.manual_seed(0)
    with torch.autocast('cpu', torch.bfloat16):
        mixed = crop(images)
    assert mixed.dtype == torch.float32
    assert torch.equal(mixed, exact)


@pytest.mark.parametrize('filter', ['bilinear', 'bicubic'])
def test_the_table_holds_the_calculated_matrices(filter):
    table = resample_table(8, 6, filter, torch.device('cpu'))
    assert table.shape == (2, 6, 7, 8, 6)
    for start in range(6):
        for length in range(1, 7 - start):
            for flip in (False, True):
                arguments = torch.tensor([start]), torch.tensor([length])
                (expected,) = resample_matrix(
                    *arguments, 8, 6, torch.tensor([flip]), filter
                )
                assert torch.equal(table[int(flip), start, length], expected)
    assert resample_table(224, 224, filter, torch.device('cpu')) is None
