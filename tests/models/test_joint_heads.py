"""One-stage opponents of view stages: their losses by value, and two encoded views."""

import pytest
import torch
import torch.nn.functional as F

from bootmae_plugin import UserError
from bootmae_plugin.models.views import lejepa_loss, simclr_loss, vicreg_loss
from tests.models.test_algorithm import build

PIXEL = dict(type='MAEDecoder', embed_dims=32, depth=1, num_heads=4)
NECK = dict(pixel=PIXEL, other=dict(type='PooledTokens'))


def with_head(**head):
    heads = dict(pixel=dict(type='PixelHead'), other=head)
    return build(neck=NECK, head=heads, target_generator=None).train()


def two_views(size=6, width=5):
    one = torch.randn(size, width, requires_grad=True)
    return one, (one + 0.5 * torch.randn(size, width)).detach().requires_grad_()


def assert_equal_with_gradients(ours, expected, inputs):
    assert torch.allclose(ours, expected, rtol=1e-4)
    for a, b in zip(
        torch.autograd.grad(ours, inputs), torch.autograd.grad(expected, inputs),
        strict=True,
    ):  # fmt: skip
        assert torch.allclose(a, b, rtol=1e-3, atol=1e-6)


def naive_simclr(one, two):
    tokens, losses = [*one, *two], []
    for i, anchor in enumerate(tokens):
        similar = [
            torch.exp(F.cosine_similarity(anchor, other, dim=0) / 0.5)
            for j, other in enumerate(tokens)
            if j != i
        ]
        positive = (i + len(one)) % len(tokens)
        score = F.cosine_similarity(anchor, tokens[positive], dim=0) / 0.5
        losses.append(sum(similar).log() - score)
    return sum(losses) / len(losses)


def naive_vicreg(one, two):
    pairs = zip(one.flatten(), two.flatten(), strict=True)
    loss = 25 * sum((a - b) ** 2 for a, b in pairs) / one.numel()
    for x in (one, two):
        size, width = x.shape
        centered = x - x.mean(dim=0)
        for i in range(width):
            std = (centered[:, i].square().sum() / (size - 1) + 1e-4).sqrt()
            loss = loss + 25 * 0.5 * torch.clamp(1 - std, min=0) / width
            for j in range(width):
                if i != j:
                    cov = (centered[:, i] * centered[:, j]).sum() / (size - 1)
                    loss = loss + cov**2 / width
    return loss


def naive_lejepa(one, two):
    directions = torch.randn(one.shape[1], 256)
    t = torch.linspace(0, 3, 17)
    sigreg = 0
    for view in (one, two):
        for direction in directions.T:
            projected = view @ direction / direction.norm()
            function = torch.exp(1j * projected[:, None] * t).mean(dim=0)
            error = (function - torch.exp(-(t**2) / 2)).abs() ** 2
            weighted = error * torch.exp(-(t**2) / 2)
            sigreg = sigreg + 2 * len(one) * torch.trapezoid(weighted, t) / 512
    center = (one + two) / 2
    distance = torch.stack([(one - center) ** 2, (two - center) ** 2]).mean()
    return 0.05 * sigreg + 0.95 * distance


@pytest.mark.parametrize(
    ('ours', 'naive'),
    [
        (simclr_loss, naive_simclr),
        (vicreg_loss, naive_vicreg),
        (lejepa_loss, naive_lejepa),
    ],
)
def test_losses_by_value(ours, naive):
    inputs, results = two_views(), []
    for loss in (ours, naive):
        torch.manual_seed(0)  # of LeJEPA's directions
        results.append(loss(*inputs))
    assert_equal_with_gradients(*results, inputs)


def test_losses_are_those_of_lightly():
    lightly = pytest.importorskip('lightly.loss')
    inputs = two_views(16, 8)
    theirs = lightly.NTXentLoss(temperature=0.5)(*inputs)
    assert_equal_with_gradients(simclr_loss(*inputs), theirs, inputs)
    assert_equal_with_gradients(
        vicreg_loss(*inputs), lightly.VICRegLoss()(*inputs), inputs
    )
    torch.manual_seed(0)
    ours = lejepa_loss(*inputs)
    torch.manual_seed(0)
    views = torch.stack(inputs)
    loss = lightly.LeJEPALoss(sigreg_num_vectors=256)
    theirs = loss(global_proj=views, local_proj=views)
    assert_equal_with_gradients(ours, theirs, inputs)


@pytest.mark.parametrize('masks', [1, 2])
def test_uniformity_is_that_of_a_loop_over_pairs(masks):
    head = with_head(type='UniformityHead').head['other']
    x = torch.randn(masks * 4, 1, 48, requires_grad=True)
    cosines = [
        F.cosine_similarity(group[i], group[j], dim=0) ** 2
        for group in x[:, 0].split(4)
        for i in range(4)
        for j in range(4)
        if i != j
    ]
    loss = head.loss(x, torch.zeros(4, 3, 32, 32), None)['loss']
    assert_equal_with_gradients(loss, sum(cosines) / len(cosines), [x])


def test_uniformity_beside_the_pixels():
    model = with_head(type='UniformityHead', loss_weight=0.01)
    losses = model.loss(torch.randn(4, 3, 32, 32))
    assert set(losses) == {'loss_pixel', 'loss_other'}
    assert 0 < losses['loss_other'] < 0.01


@pytest.mark.parametrize('masks', [1, 2])
@pytest.mark.parametrize('name', ['simclr', 'vicreg', 'lejepa'])
def test_both_views_are_masked_and_encoded(name, masks):
    model = with_head(type='JointHead', loss=name)
    model.masks_per_image = masks
    views = [torch.randn(4, 3, 32, 32) for _ in range(2)]
    torch.manual_seed(1)
    losses = model.loss(views)

    # The same, view by view.
    torch.manual_seed(1)
    images = torch.cat(views)
    mask = model.masking(masks * 8, (8, 8), images.device)
    repeated = torch.cat([images] * masks)
    latent = model.backbone.encode(repeated, mask, model.injected)
    pixels = model.head['pixel'].loss(model.neck['pixel'](latent, mask), repeated, mask)
    assert torch.allclose(losses['loss_pixel'], pixels['loss'], rtol=1e-4)
    projected = model.head['other'].pred(latent.tokens[:, 2:].mean(dim=1)).split(4)
    compare = model.head['other'].compare
    pairs = [
        compare(projected[i], projected[j])
        for i in range(len(projected))
        for j in range(i + 1, len(projected))
    ]
    expected = sum(pairs) / len(pairs)
    assert len(pairs) == (1 if masks == 1 else 6)
    if name != 'lejepa' or masks == 1:  # its directions are drawn anew for each pair
        assert_equal_with_gradients(
            losses['loss_other'], expected, [model.backbone.cls_token]
        )


def test_bad_input():
    with pytest.raises(UserError, match="unknown loss='byol'"):
        with_head(type='JointHead', loss='byol')
    with pytest.raises(UserError, match=r'needs 2 views.*data_preprocessor.views=2'):
        with_head(type='JointHead').loss(torch.randn(4, 3, 32, 32))


def test_a_reset_student_gets_a_new_projector():
    head = with_head(type='JointHead').head['other']
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.fill_(7)
    head.reset_parameters()
    assert not any((parameter == 7).any() for parameter in head.parameters())
