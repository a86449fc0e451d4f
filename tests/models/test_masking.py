"""Masks: exact counts, distributions, seeds, other ratios, bad options."""

import re
from functools import partial

import pytest
import torch
from torch import nn

from bootmae_plugin import UserError
from bootmae_plugin.models import BlockMasking, GridMasking, Mask, RandomMasking

CPU = torch.device('cpu')
KINDS = [RandomMasking, GridMasking, BlockMasking, partial(BlockMasking, scatter=0.18)]


@pytest.mark.parametrize('kind', KINDS)
def test_every_patch_is_either_visible_or_masked(kind):
    mask = kind()(100, (8, 12), CPU)
    assert mask.ids_keep.shape == (100, 24)
    assert mask.ids_mask.shape == (100, 72)
    both = torch.cat(mask[:2], dim=1).sort(dim=1).values
    assert torch.equal(both, torch.arange(96).expand(100, -1))
    assert torch.equal(mask.dense().sum(dim=1), torch.full((100,), 72))


@pytest.mark.parametrize('kind', KINDS)
def test_a_seed_repeats_the_masks_and_samples_differ(kind):
    torch.manual_seed(3)
    first = kind()(4, (8, 8), CPU)
    torch.manual_seed(3)
    again = kind()(4, (8, 8), CPU)
    assert torch.equal(first.ids_keep, again.ids_keep)
    assert not torch.equal(first.ids_keep[0], first.ids_keep[1])


def test_random_patches_are_visible_equally_often():
    mask = RandomMasking(0.75)(20_000, (4, 4), CPU)
    share = 1 - mask.dense().float().mean(dim=0)
    # 6 standard deviations of a mean of 20,000 draws at p = 1/4
    assert float((share - 0.25).abs().max()) < 6 * (0.25 * 0.75 / 20_000) ** 0.5


def test_grid_masking_keeps_one_random_patch_of_each_cell():
    mask = GridMasking(0.75)(4000, (6, 4), CPU)
    visible = (~mask.dense()).view(4000, 6, 4)
    cells = visible.unfold(1, 2, 2).unfold(2, 2, 2)  # (B, 3, 2, 2, 2)
    assert torch.equal(cells.sum((-1, -2)), torch.ones(4000, 3, 2, dtype=torch.long))
    share = cells.float().mean(0).flatten(2)
    assert float((share - 0.25).abs().max()) < 6 * (0.25 * 0.75 / 4000) ** 0.5
    # The indices of the visible patches come in raster order.
    for ids, row in zip(mask.ids_keep[:9], visible[:9], strict=True):
        assert torch.equal(ids, row.flatten().nonzero()[:, 0])


def test_blocks_have_the_exact_count_over_many_draws():
    masking = BlockMasking(0.75)
    for _ in range(10):
        mask = masking(1000, (14, 14), CPU)
        assert mask.ids_mask.shape == (1000, 147)
        assert torch.equal(mask.dense().sum(dim=1), torch.full((1000,), 147))
        assert 0 <= int(mask.ids_mask.min()) and int(mask.ids_mask.max()) < 196


def borders(dense, rows, cols):
    """Return the mean number of neighboring pairs of a masked and a visible patch."""
    m = dense.view(-1, rows, cols)
    pairs = (m[:, 1:] != m[:, :-1]).sum((1, 2)) + (m[..., 1:] != m[..., :-1]).sum(
        (1, 2)
    )
    return float(pairs.float().mean())


def test_blocks_have_short_borders_and_scattering_lengthens_them():
    random, blocks, scattered = (
        borders(masking(500, (14, 14), CPU).dense(), 14, 14)
        for masking in (RandomMasking(), BlockMasking(), BlockMasking(scatter=0.18))
    )
    assert blocks < 0.6 * random
    assert blocks < scattered < random


def test_a_single_block_is_a_rectangle_within_the_area_and_aspect():
    masking = BlockMasking(0.2, min_area=30, max_area=30)
    order = masking.block_order(2000, (14, 14), 30, CPU)
    assert torch.equal(order.sort(dim=1).values, torch.arange(196).expand(2000, -1))
    rectangles = 0
    for row, col in zip(order[:, :30] // 14, order[:, :30] % 14, strict=True):
        height, width = row.max() - row.min() + 1, col.max() - col.min() + 1
        if int(height * width) == 30:  # its rounded sides give the area again
            rectangles += 1
            assert 0.29 < float(height / width) < 3.4
    assert rectangles > 300


def test_masks_with_too_few_blocks_are_completed_at_random(monkeypatch):
    monkeypatch.setattr(BlockMasking, 'num_blocks', lambda *_: 1)
    dense = BlockMasking(0.75)(4000, (14, 14), CPU).dense()
    assert torch.equal(dense.sum(dim=1), torch.full((4000,), 147))
    # One block has at most 60 patches; the rest is uniform, in the last row, too.
    assert 0.6 < float(dense[:, -14:].float().mean()) < 0.75


@pytest.mark.parametrize('kind', [RandomMasking, GridMasking])
def test_with_ratio_changes_the_copy_only(kind):
    masking = kind(0.75)
    other = masking.with_ratio(8 / 9)
    assert type(other) is kind
    assert other(2, (6, 6), CPU).ids_keep.shape == (2, 4)
    assert masking(2, (6, 6), CPU).ids_keep.shape == (2, 9)  # unchanged


def test_with_ratio_keeps_the_other_options():
    options = dict(min_area=4, max_area=9, min_aspect=0.5, scatter=0.1)
    other = BlockMasking(0.75, **options).with_ratio(0.5)
    torch.manual_seed(1)
    mask = other(3, (8, 8), CPU)
    torch.manual_seed(1)
    assert torch.equal(mask.ids_mask, BlockMasking(0.5, **options)(3, (8, 8), CPU)[1])


@pytest.mark.parametrize('kind', KINDS)
def test_each_stage_has_its_ratio_and_the_last_one_holds(kind):
    masking = kind([0.75, 8 / 9])
    visible = []
    for stage in (1, 2, 3):
        masking.start_stage(stage)
        visible.append(masking(2, (6, 6), CPU).ids_keep.shape[1])
    assert visible == [9, 4, 4]
    assert masking.with_ratio(0.75)(2, (6, 6), CPU).ids_keep.shape[1] == 9


def test_the_ratio_of_a_later_stage_is_checked_when_the_model_is_built():
    with pytest.raises(UserError, match='mask_ratio=0.99 leaves 0 of 64'):
        RandomMasking([0.75, 0.99]).check_grid((8, 8))
    with pytest.raises(UserError, match='divisible by its 3x3 cells'):
        GridMasking([0.75, 8 / 9]).check_grid((8, 8))
    with pytest.raises(UserError, match='mask_ratio=2 must lie'):
        RandomMasking([0.75, 2])


def test_with_ratio_refuses_a_bad_ratio():
    with pytest.raises(UserError, match='mask_ratio=1.5 must lie'):
        RandomMasking().with_ratio(1.5)
    with pytest.raises(UserError, match='mask_ratio=0.6.*grid masking'):
        GridMasking().with_ratio(0.6)


@pytest.mark.parametrize(('ratio', 'keep'), [(0.1, 57), (0.5, 32), (0.75, 16)])
def test_the_number_of_visible_patches_equals_the_official_code(ratio, keep):
    assert RandomMasking(ratio).num_keep(64) == keep


def test_a_mask_without_a_visible_or_a_masked_patch_is_refused():
    with pytest.raises(UserError, match='mask_ratio=0.99 leaves 0 of 64'):
        RandomMasking(0.99).num_keep(64)
    with pytest.raises(UserError, match='leaves 0 of 1'):
        RandomMasking(0.75).check_grid((1, 1))
    assert RandomMasking(0.001).num_keep(64) == 63  # one is masked


@pytest.mark.parametrize('ratio', [0, 1, -0.5, 1.5, [], [0], '0.5', None])
def test_a_ratio_out_of_range_is_refused(ratio):
    value = 0 if ratio == [0] else ratio
    with pytest.raises(UserError, match=re.escape(f'mask_ratio={value} must lie')):
        RandomMasking(ratio)


def test_bad_options_are_refused():
    with pytest.raises(UserError, match=r'mask_ratio=0.6.*0.75, 0.8889'):
        GridMasking(0.6)
    with pytest.raises(UserError, match='2x2.*7x8 patches'):
        GridMasking(0.75).check_grid((7, 8))
    with pytest.raises(UserError, match='min_area=9, max_area=4'):
        BlockMasking(min_area=9, max_area=4)
    with pytest.raises(UserError, match='scatter=1'):
        BlockMasking(scatter=1)
    with pytest.raises(UserError, match='same number of masked patches.*1 to 2'):
        Mask.from_dense(torch.tensor([[True, False], [True, True]]))


def test_a_mask_converts_from_dense_and_back():
    dense = torch.tensor([[True, False, True, False], [False, True, True, False]])
    mask = Mask.from_dense(dense)
    assert mask.ids_keep.tolist() == [[1, 3], [0, 3]]
    assert mask.ids_mask.tolist() == [[0, 2], [1, 2]]
    assert torch.equal(mask.dense(), dense)


def test_maskings_are_modules_without_state():
    for kind in KINDS:
        assert isinstance(kind(), nn.Module)
        assert not kind().state_dict()
