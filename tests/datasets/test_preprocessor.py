"""The batch preprocessor: views, their crops and their colors."""

import pytest
import torch
from mmpretrain.registry import MODELS

from bootmae_plugin import UserError
from bootmae_plugin.datasets import BatchColorJitter, BatchRandomResizedCrop

CROP = dict(type='BatchRandomResizedCrop', size=32)


def build(**options):
    cfg = dict(type='BatchDataPreprocessor', augment=CROP, mean=[0] * 3, std=[255] * 3)
    return MODELS.build({**cfg, **options})


def draw(seed, **options):
    torch.manual_seed(seed)
    images = torch.randint(256, (8, 3, 32, 32), dtype=torch.uint8)
    views = build(**options)(dict(inputs=images), training=True)['inputs']
    return images.float(), [view * 255 for view in views]


def test_the_views_are_drawn_independently():
    preprocess = build(views=2)
    images = torch.randint(256, (4, 3, 32, 32), dtype=torch.uint8)
    one, two = preprocess(dict(inputs=images), training=True)['inputs']
    assert one.shape == two.shape == (4, 3, 32, 32) and not torch.equal(one, two)
    whole = preprocess(dict(inputs=images))['inputs']
    assert torch.allclose(whole, images / 255)
    with pytest.raises(UserError, match='views=2 needs an augment'):
        MODELS.build(dict(type='BatchDataPreprocessor', views=2))


@pytest.mark.parametrize('nested', [False, True])
def test_the_second_view_has_a_crop_of_its_own(nested):
    second = dict(CROP, scale=(0.3, 1.0), interpolation='bilinear')
    images, views = draw(3, views=2, second_view=second, nested=nested)
    torch.manual_seed(3)
    torch.randint(256, (8, 3, 32, 32))
    first = BatchRandomResizedCrop(32)(images)
    crop = BatchRandomResizedCrop(32, scale=(0.3, 1.0), interpolation='bilinear')
    other = crop(first if nested else images)
    for ours, expected in zip(views, (first, other), strict=True):
        assert torch.allclose(ours, expected, atol=1e-3)


@pytest.mark.parametrize('color_views', [None, [1]])
def test_colors_change_after_the_crop(color_views):
    color = dict(type='BatchColorJitter')
    images, views = draw(3, views=2, color=color, color_views=color_views)
    torch.manual_seed(3)
    torch.randint(256, (8, 3, 32, 32))
    crop, jitter = BatchRandomResizedCrop(32), BatchColorJitter()
    first, other = crop(images), crop(images)
    first = jitter(first) if color_views is None else first
    for ours, expected in zip(views, (first, jitter(other)), strict=True):
        assert torch.allclose(ours, expected, atol=1e-3)


def test_one_view_with_colors_and_none_in_evaluation():
    color = dict(type='BatchColorJitter', prob=0, gray_prob=1)
    preprocess = build(augment=None, color=color)
    images = torch.randint(256, (4, 3, 32, 32), dtype=torch.uint8)
    out = preprocess(dict(inputs=images), training=True)['inputs']
    assert torch.equal(out[:, 0], out[:, 2])
    assert torch.allclose(preprocess(dict(inputs=images))['inputs'], images / 255)


def test_both_views_have_the_crops_of_a_stage():
    scales = [[0.2, 1], [0.6, 1]]
    preprocess = build(augment=dict(CROP, scale=scales), views=2, second_view=CROP)
    preprocess.start_stage(2)
    assert preprocess.augment.scale == [0.6, 1]
    assert preprocess.second_view.scale == (0.2, 1)
    other = build(augment=CROP, views=2, second_view=dict(CROP, scale=scales))
    other.start_stage(2)
    assert other.augment.scale == (0.2, 1) and other.second_view.scale == [0.6, 1]
    build(augment=None).start_stage(2)  # nothing to change


def test_options_of_a_second_view_need_one():
    with pytest.raises(UserError, match='set data_preprocessor.views=2'):
        build(nested=True)
    with pytest.raises(UserError, match='set data_preprocessor.views=2'):
        build(second_view=CROP)
