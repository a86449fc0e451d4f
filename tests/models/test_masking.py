"""Random masking: exact counts, uniform, reproducible, bad ratios."""

import pytest
import torch

from bootmae_plugin import UserError
from bootmae_plugin.models import RandomMasking

CPU = torch.device('cpu')


def test_every_patch_is_visible_or_masked_once():
    mask = RandomMasking(0.75)(100, (8, 8), CPU)
    assert mask.ids_keep.shape == (100, 16)
    assert mask.ids_mask.shape == (100, 48)
    both = torch.cat(mask, dim=1).sort(dim=1).values
    assert torch.equal(both, torch.arange(64).expand(100, -1))
    assert torch.equal(mask.dense().sum(dim=1), torch.full((100,), 48))


def test_patches_are_visible_equally_often():
    mask = RandomMasking(0.75)(20_000, (4, 4), CPU)
    share = 1 - mask.dense().float().mean(dim=0)
    # 6 standard deviations of a mean of 20,000 draws at p = 1/4
    assert float((share - 0.25).abs().max()) < 6 * (0.25 * 0.75 / 20_000) ** 0.5


def test_the_seed_gives_the_masks_and_samples_differ():
    torch.manual_seed(3)
    first = RandomMasking()(4, (8, 8), CPU)
    torch.manual_seed(3)
    again = RandomMasking()(4, (8, 8), CPU)
    assert torch.equal(first.ids_keep, again.ids_keep)
    assert not torch.equal(first.ids_keep[0], first.ids_keep[1])


@pytest.mark.parametrize(('ratio', 'keep'), [(0.1, 57), (0.5, 32), (0.75, 16)])
def test_number_visible_is_that_of_the_official_code(ratio, keep):
    assert RandomMasking(ratio).num_keep(64) == keep


@pytest.mark.parametrize(('ratio', 'patches'), [(0.99, 64), (0.001, 64), (0.75, 1)])
def test_no_visible_or_no_masked_patch(ratio, patches):
    if ratio == 0.001:
        assert RandomMasking(ratio).num_keep(patches) == 63  # one is masked
        return
    with pytest.raises(UserError, match=f'mask_ratio={ratio} leaves'):
        RandomMasking(ratio).num_keep(patches)


@pytest.mark.parametrize('ratio', [0, 1, -0.5, 1.5])
def test_ratio_out_of_range(ratio):
    with pytest.raises(UserError, match=f'mask_ratio={ratio} must lie'):
        RandomMasking(ratio)
