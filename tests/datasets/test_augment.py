"""Batch augmentation equals Pillow's in its pixels and torchvision's in its boxes."""

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2
from torchvision.transforms.functional import crop, pad

from bootmae_plugin import UserError
from bootmae_plugin.datasets import BatchPadCrop, BatchRandomResizedCrop
from bootmae_plugin.datasets.augment import resample, resample_matrix, resample_table

MODES = dict(bilinear=Image.BILINEAR, bicubic=Image.BICUBIC)
BOXES = [[0, 0, 32, 32], [3, 5, 20, 27], [10, 0, 15, 15], [31, 31, 1, 1], [0, 4, 9, 28]]


def hard_edges(number: int, *size: int) -> np.ndarray:
    """(N, H, W, 3) uint8 of black and white: bicubic weights overshoot everywhere."""
    return np.random.default_rng(0).integers(0, 2, (number, *size, 3), np.uint8) * 255


def to_tensor(images: np.ndarray) -> torch.Tensor:
    return torch.tensor(images).permute(0, 3, 1, 2).float()


def resized_by_pillow(image: np.ndarray, box, size, mode: str) -> torch.Tensor:
    """(3, *size), resized by Pillow in two steps, the columns first."""
    top, left, height, width = box
    image = Image.fromarray(image).crop((left, top, left + width, top + height))
    image = image.resize((size[1], height), MODES[mode])
    return to_tensor(np.asarray(image.resize(size[::-1], MODES[mode]))[None])[0]


@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize('size', [(32, 32), (48, 48), (12, 12), (16, 40), (40, 16)])
@pytest.mark.parametrize('flip', [False, True])
def test_resampling_equals_pillow(mode, size, flip):
    images = hard_edges(len(BOXES), 32, 32)
    images[0] = np.random.default_rng(1).integers(0, 256, images[0].shape, np.uint8)
    flips = torch.full((len(BOXES),), flip)
    ours = resample(to_tensor(images), torch.tensor(BOXES), size, flips, mode)
    for image, box, result in zip(images, BOXES, ours, strict=True):
        expected = resized_by_pillow(image, box, size, mode)
        expected = expected.flip(-1) if flip else expected
        assert (result - expected).abs().max() <= 1
        assert torch.equal(result, result.round())
        assert (result != expected).float().mean() < 0.15


def test_bicubic_crops_stay_in_the_range_of_pixels():
    crop = BatchRandomResizedCrop(32)
    out = crop(to_tensor(hard_edges(64, 32, 32)))
    assert (out.min(), out.max()) == (0, 255)


@pytest.mark.parametrize(
    ('image_size', 'size'), [((24, 40), (20, 48)), ((40, 24), (32, 16))]
)
@pytest.mark.parametrize('scale', [(0.2, 1.0), (0.9, 1.0)])
def test_random_resized_crop_of_other_shapes_equals_pillow(image_size, size, scale):
    images = hard_edges(16, *image_size)
    transform = BatchRandomResizedCrop(size, scale, flip_prob=0.0)
    torch.manual_seed(1)
    ours = transform(to_tensor(images))
    torch.manual_seed(1)
    torch.rand(len(images))  # the flips are drawn first
    boxes = transform.boxes(to_tensor(images)).tolist()
    for image, box, result in zip(images, boxes, ours, strict=True):
        expected = resized_by_pillow(image, box, size, 'bicubic')
        assert result.shape == (3, *size)
        assert (result - expected).abs().max() <= 1


@pytest.mark.parametrize('size', [32, (24, 32), [40, 20]])
@pytest.mark.parametrize('flip', [False, True])
def test_pad_crop_equals_torchvision(size, flip):
    images = torch.rand(200, 3, 32, 32)
    transform = BatchPadCrop(size, padding=4, flip_prob=float(flip))
    torch.manual_seed(1)
    ours = transform(images)
    torch.manual_seed(1)
    torch.rand(200)  # the flips are drawn first
    boxes = transform.boxes(images)
    padded = pad(images, [4])
    for image, (top, left, h, w), result in zip(padded, boxes, ours, strict=True):
        expected = crop(image, int(top) + 4, int(left) + 4, int(h), int(w))
        assert torch.equal(result, expected.flip(-1) if flip else expected)
    height, width = transform.size
    assert set(boxes[:, 0].tolist()) == set(range(-4, 32 + 4 - height + 1))
    assert set(boxes[:, 1].tolist()) == set(range(-4, 32 + 4 - width + 1))


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


def test_half_the_images_are_flipped_and_samples_differ():
    images = torch.arange(32.0).expand(4000, 1, 32, 32)
    out = BatchRandomResizedCrop(32, scale=(1, 1), ratio=(1, 1))(images)
    flipped = (out[:, 0, 0, 0] > out[:, 0, 0, -1]).float().mean()
    assert abs(float(flipped) - 0.5) < 6 * 0.5 / 4000**0.5
    image = torch.rand(1, 3, 32, 32) * 255
    out = BatchRandomResizedCrop(32)(image.expand(8, -1, -1, -1))
    assert len({tuple(x.flatten()[:5].tolist()) for x in out}) == 8


def test_a_stage_has_its_crops():
    transform = BatchRandomResizedCrop(32, scale=[[0.2, 0.3], [0.9, 1]])
    images = torch.empty(1000, 3, 32, 32)
    for stage, (low, high) in {1: (0.2, 0.3), 2: (0.9, 1), 3: (0.9, 1)}.items():
        transform.start_stage(stage)
        area = transform.boxes(images)[:, 2:].prod(dim=1) / 32**2
        # Sides are whole pixels.
        assert low - 0.04 < area.min() and area.max() < high + 0.04


@pytest.mark.parametrize(
    ('transform', 'words'),
    [
        (lambda: BatchRandomResizedCrop(32, scale=(0.5, 2)), 'scale=.0.5, 2.'),
        (lambda: BatchRandomResizedCrop(32, scale=[[0.5, 1], [1]]), 'for each stage'),
        (lambda: BatchRandomResizedCrop(32, scale=[]), 'scale=.. must be two'),
        (lambda: BatchRandomResizedCrop(32, scale=0.5), 'scale=0.5 must be two'),
        (lambda: BatchRandomResizedCrop(32, interpolation='lanczos'), 'lanczos'),
        (lambda: BatchRandomResizedCrop(0), 'size=0'),
        (lambda: BatchPadCrop((32, 0)), r'size=.32, 0.'),
        (lambda: BatchPadCrop((3, 32, 32)), 'or .height, width.'),
        (lambda: BatchRandomResizedCrop(32, flip_prob=2), 'flip_prob=2'),
        (lambda: BatchPadCrop(32, padding=-1), 'padding=-1'),
        (lambda: BatchPadCrop(64)(torch.rand(1, 3, 32, 32)), 'size=64x64 is larger'),
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
def test_the_table_holds_the_computed_matrices(filter):
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
