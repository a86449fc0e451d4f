"""Several masks of an image share the teacher's forward pass."""

import pytest
import torch

from bootmae_plugin import UserError
from bootmae_plugin.models import Mask
from tests.models.test_algorithm import build


class Fixed(torch.nn.Module):
    """Stand-in for the masking that returns a given mask."""

    def __init__(self, mask):
        super().__init__()
        self.mask = mask

    def forward(self, batch_size, grid, device):
        assert batch_size == len(self.mask.ids_keep)
        return self.mask


@pytest.mark.parametrize('stage', [1, 2])
@pytest.mark.parametrize('norm', ['position', 'instance'])
def test_the_loss_is_the_mean_over_the_views(stage, norm):
    torch.manual_seed(0)
    head = dict(
        pixel=dict(type='PixelHead', last_stage=1),
        feature=dict(type='FeatureHead', first_stage=2, target_norm=norm),
    )
    images = torch.randn(3, 3, 32, 32)
    model = build(head=head, masks_per_image=2).train()
    name = 'loss_pixel' if stage == 1 else 'loss_feature'
    if stage == 2:
        model.start_stage(2)
    masking = model.masking
    mask = masking(6, (8, 8), images.device)
    model.masking = Fixed(mask)
    calls = []
    if stage == 2:
        hook = model.target_generator.register_forward_hook(
            lambda module, args, output: calls.append(len(output))
        )
    loss = model.loss(images)[name]
    grads = torch.autograd.grad(loss, model.backbone.cls_token)
    if stage == 2:
        hook.remove()
        assert calls == [3]  # one forward pass of the teacher

    model.masks_per_image = 1
    parts = []
    for view in (slice(0, 3), slice(3, 6)):
        model.masking = Fixed(Mask(mask.ids_keep[view], mask.ids_mask[view]))
        if norm == 'position' and stage == 2:
            model.eval()  # keep the statistics of the first pass
        parts.append(model.loss(images)[name])
    expected = sum(parts) / 2
    assert torch.isclose(loss, expected, rtol=1e-5)
    theirs = torch.autograd.grad(expected, model.backbone.cls_token)
    assert torch.allclose(grads[0], theirs[0], rtol=1e-4, atol=1e-6)


def test_every_view_has_a_mask_of_its_own():
    model = build(masks_per_image=4).train()
    mask = model.masking(4, (8, 8), torch.device('cpu'))
    dense = mask.dense()
    assert not any(torch.equal(dense[0], dense[i]) for i in (1, 2, 3))


@pytest.mark.parametrize('views', [0, 1.5])
def test_a_bad_number_of_views_is_refused(views):
    with pytest.raises(UserError, match=f'masks_per_image={views}'):
        build(masks_per_image=views)
