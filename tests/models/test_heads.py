"""Losses, target normalization and explained variance against naive loops."""

import importlib

import pytest
import torch

from bootmae_plugin import UserError
from bootmae_plugin.models import FeatureHead, PixelHead, RandomMasking, patches
from bootmae_plugin.models.heads import neighbor_weight
from bootmae_plugin.models.patches import Geometry, patchify, unpatchify
from tests.models.test_algorithm import build

GEOMETRY = Geometry((16, 16), 4, 3, 12, 12, 2)
MASK = dict(batch_size=3, grid=(4, 4), device=torch.device('cpu'))


def features(target_norm, **kwargs):
    return FeatureHead(
        8, geometry=GEOMETRY, target_channels=12, target_norm=target_norm, **kwargs
    )


@pytest.mark.parametrize('norm_pix', [True, False])
def test_pixel_loss_and_gradient_equal_a_loop(norm_pix):
    head = PixelHead(8, geometry=GEOMETRY, norm_pix=norm_pix)
    images, mask = torch.rand(3, 3, 16, 16), RandomMasking(0.5)(**MASK)
    x = torch.randn(3, 8, 8, requires_grad=True)
    terms = []
    for b in range(3):
        for m, patch in enumerate(mask.ids_mask[b].tolist()):
            row, col = divmod(patch, 4)
            pixels = images[b, :, 4 * row : 4 * row + 4, 4 * col : 4 * col + 4]
            target = pixels.permute(1, 2, 0).flatten()
            if norm_pix:  # MAE: unbiased variance over all values of the patch
                target = (target - target.mean()) / (target.var() + 1e-6) ** 0.5
            terms.append(((head.pred(x[b, m]) - target) ** 2).mean())
    expected = torch.stack(terms).mean()
    loss = head.loss(x, images, mask)['loss']
    assert torch.allclose(loss, expected, rtol=1e-5)
    ours, theirs = (torch.autograd.grad(v, x)[0] for v in (loss, expected))
    assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-7)


def test_unpatchify_is_the_inverse_of_patchify():
    images = torch.rand(2, 3, 8, 12)
    assert torch.equal(unpatchify(patchify(images, 4), (2, 3), 4), images)


def naive_norm(target_norm, t):
    out = torch.empty_like(t)
    if target_norm == 'none':
        return t
    if target_norm == 'layer':
        for b in range(t.shape[0]):
            for p in range(t.shape[1]):
                row = t[b, p]
                out[b, p] = (row - row.mean()) / (row.var(correction=0) + 1e-6) ** 0.5
    elif target_norm == 'instance':
        for b in range(t.shape[0]):
            for c in range(t.shape[2]):
                row = t[b, :, c]
                out[b, :, c] = (row - row.mean()) / (
                    row.var(correction=0) + 1e-6
                ) ** 0.5
    else:  # the first batch of 'position': its own statistics
        centered = t - t.mean(0)
        for c in range(t.shape[2]):
            out[..., c] = (
                centered[..., c] / (centered[..., c].square().mean() + 1e-6) ** 0.5
            )
    return out


@pytest.mark.parametrize('target_norm', ['none', 'layer', 'instance', 'position'])
def test_feature_loss_equals_a_loop(target_norm):
    head = features(target_norm)
    teacher = 3 * torch.randn(3, 16, 12) + torch.randn(16, 12)
    mask, x = RandomMasking(0.5)(**MASK), torch.randn(3, 8, 8)
    target = naive_norm(target_norm, teacher)
    pairs = [
        (head.pred(x[b, m]), target[b, patch])
        for b in range(3)
        for m, patch in enumerate(mask.ids_mask[b].tolist())
    ]
    pred, true = (torch.stack(side) for side in zip(*pairs, strict=True))
    out = head.loss(x, teacher, mask)
    assert torch.allclose(out['loss'], (pred - true).square().mean(), rtol=1e-5)
    r2 = 1 - (pred - true).square().sum() / (true - true.mean(0)).square().sum()
    assert torch.allclose(out['explained'], r2, rtol=1e-4, atol=1e-5)


def test_explained_is_one_for_a_perfect_and_zero_for_a_constant_prediction():
    mask, teacher = RandomMasking(0.5)(**MASK), torch.randn(3, 16, 12)
    head = FeatureHead(12, geometry=GEOMETRY, target_channels=12, target_norm='none')
    with torch.no_grad():
        head.pred.weight.copy_(torch.eye(12))
    true = teacher.gather(1, mask.ids_mask[..., None].expand(-1, -1, 12))
    assert float(head.loss(true, teacher, mask)['explained']) == pytest.approx(1)
    constant = true.mean(dim=(0, 1)).expand_as(true)
    explained = float(head.loss(constant, teacher, mask)['explained'])
    assert explained == pytest.approx(0, abs=1e-5)


def test_a_branch_is_active_from_its_first_to_its_last_stage():
    head = PixelHead(8, geometry=GEOMETRY, last_stage=1)
    assert [head.active(stage) for stage in (1, 2, 3)] == [True, False, False]
    head = features('none', first_stage=2)
    assert [head.active(stage) for stage in (1, 2, 3)] == [False, True, True]


def test_the_prediction_layer_is_reset_in_the_first_stage_of_the_branch_only():
    head = features('position', first_stage=2)
    before = head.pred.weight.clone()
    head.start_stage(2)
    second = head.pred.weight.clone()
    head.start_stage(3)
    assert not torch.equal(before, second)
    assert torch.equal(second, head.pred.weight)


def test_bad_options_are_refused():
    with pytest.raises(UserError, match="target_norm='batch'.*position"):
        features('batch')
    with pytest.raises(UserError, match='needs a teacher'):
        FeatureHead(8, geometry=GEOMETRY)


def test_neighbor_weight_by_a_loop():
    mask = RandomMasking(0.5)(**MASK)
    weight = neighbor_weight(mask, (4, 4))
    for b in range(3):
        m = mask.dense()[b].view(4, 4).float()
        for i, patch in enumerate(mask.ids_mask[b].tolist()):
            row, col = divmod(patch, 4)
            near = [
                float(m[r, c])
                for r in range(max(row - 1, 0), min(row + 2, 4))
                for c in range(max(col - 1, 0), min(col + 2, 4))
            ]
            expected = 1 + sum(near) / 9  # padding counts as visible
            assert float(weight[b, i]) == pytest.approx(expected)


def test_weighted_loss_is_the_ratio_of_means_of_the_paper():
    head = PixelHead(8, geometry=GEOMETRY, weight_neighbors=True)
    images, mask = torch.rand(3, 3, 16, 16), RandomMasking(0.5)(**MASK)
    x = torch.randn(3, 8, 8)
    # mean(w * error) / mean(m), over all patches, w = 0 at the visible ones
    weight = torch.zeros(3, 16).scatter(1, mask.ids_mask, neighbor_weight(mask, (4, 4)))
    pred = torch.zeros(3, 16, 48).scatter(
        1, mask.ids_mask[..., None].expand(-1, -1, 48), head.pred(x)
    )
    error = (pred - head.target(images)[0]).square()
    expected = (weight[..., None] * error).mean() / mask.dense().float().mean()
    assert torch.allclose(head.loss(x, images, mask)['loss'], expected, rtol=1e-5)


def test_channel_normalization_by_a_loop():
    head = PixelHead(8, geometry=GEOMETRY, norm_pix='channel')
    images = torch.rand(2, 3, 16, 16)
    target = head.target(images)[0].view(2, 16, 4, 4, 3)
    for b, patch, c in ((0, 0, 0), (1, 7, 2), (1, 15, 1)):
        row, col = divmod(patch, 4)
        pixels = images[b, c, 4 * row : 4 * row + 4, 4 * col : 4 * col + 4]
        std = (pixels.var(correction=0) + 1e-5) ** 0.5
        expected = (pixels - pixels.mean()) / std
        assert torch.allclose(target[b, patch, ..., c], expected, atol=1e-5)


def test_shared_bias_is_a_transposed_convolution():
    head = PixelHead(8, geometry=GEOMETRY, shared_bias=True)
    torch.nn.init.normal_(head.pred.bias)
    deconv = torch.nn.ConvTranspose2d(8, 3, 4, 4)
    weight = head.pred.weight.view(4, 4, 3, 8).permute(3, 2, 0, 1)
    with torch.no_grad():
        deconv.weight.copy_(weight)
        deconv.bias.copy_(head.pred.bias)
    x = torch.randn(2, 16, 8)
    expected = deconv(x.transpose(1, 2).reshape(2, 8, 4, 4))
    ours = unpatchify(head.pred(x), (4, 4), 4)
    assert torch.allclose(ours, expected, atol=1e-5)


def test_a_warmup_that_is_no_share_is_refused():
    with pytest.raises(UserError, match='loss_warmup=25'):
        PixelHead(8, geometry=GEOMETRY, loss_warmup=25)


def test_old_option_names_work_and_warn():
    """A child config may set an old name where its base sets the new one."""
    with pytest.warns(DeprecationWarning, match='ramp is called loss_warmup now'):
        head = PixelHead(8, geometry=GEOMETRY, loss_warmup=0.25, ramp=0.5)
    assert head.weight_at(1, 8) == 0.25
    with pytest.warns(DeprecationWarning, match='weight_neighbors now'):
        head = PixelHead(8, geometry=GEOMETRY, weight_neighbours=True)
    assert head.weight_neighbors


@pytest.mark.parametrize(
    ('module', 'name'), [('heads', 'unpatchify'), ('layers', 'Geometry')]
)
def test_names_that_moved_are_found_with_a_warning(module, name):
    module = importlib.import_module(f'bootmae_plugin.models.{module}')
    with pytest.warns(DeprecationWarning, match='models.patches'):
        assert getattr(module, name) is getattr(patches, name)


def test_the_weight_of_a_branch_is_annealed():
    model = build(head=dict(pixel=dict(type='PixelHead', final_weight=0.0)))
    head = model.head['pixel']
    assert [head.weight_at(epoch, 4) for epoch in range(5)] == [1, 0.75, 0.5, 0.25, 0]
    images = torch.randn(2, 3, 32, 32)
    losses = []
    for epoch in (0, 3):
        model.start_epoch(epoch, 4)
        torch.manual_seed(0)
        losses.append(float(model.loss(images)['loss_pixel'].detach()))
    assert losses[1] == pytest.approx(losses[0] / 4, rel=1e-5)
    both = build(
        head=dict(pixel=dict(type='PixelHead', loss_warmup=0.5, final_weight=3.0))
    ).head['pixel']
    assert [both.weight_at(epoch, 4) for epoch in range(5)] == [0, 0.75, 2, 2.5, 3]


@pytest.mark.parametrize(
    ('epoch', 'weight'), [(0, 0.0), (80, 0.4), (200, 1.0), (400, 1.0)]
)
def test_the_feature_loss_warms_up_over_a_quarter_of_the_epochs(epoch, weight):
    head = dict(type='FeatureHead', loss_warmup=0.25)
    model = build(head=dict(feature=head))
    model.start_epoch(epoch, 800)
    assert model.head['feature'].branch_weight == pytest.approx(weight)
    images = torch.randn(2, 3, 32, 32)
    torch.manual_seed(0)
    loss = model.loss(images)['loss_feature']
    model.start_epoch(800, 800)
    torch.manual_seed(0)
    whole = model.loss(images)['loss_feature']
    assert float(loss) == pytest.approx(weight * float(whole), rel=1e-5)
