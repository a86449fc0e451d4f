"""View stages: whitening, pooling, the loss by value, and the stages of a run."""

import pytest
import torch
import torch.nn.functional as F

from bootmae_plugin import UserError
from bootmae_plugin.targets import Whitening
from tests.models.test_algorithm import build

VIEWS = dict(
    neck=dict(
        pixel=dict(type='MAEDecoder', embed_dims=32, depth=1, num_heads=4),
        view=dict(type='PooledTokens'),
    ),
    head=dict(pixel=dict(type='PixelHead'), view=dict(type='ViewHead', first_stage=2)),
)


def test_whitening_is_that_of_the_whole_data_set():
    mixing = torch.eye(6) + 0.3 * torch.randn(6, 6)
    data = torch.randn(64, 6) @ mixing + torch.randn(6)
    whitening = Whitening(6, shrinkage=0.0).train()
    for batch in data.split(16):
        whitening(batch)
    assert torch.allclose(whitening.mean, data.mean(dim=0), atol=1e-5)
    assert torch.allclose(whitening.cov, data.T.cov(correction=0), rtol=1e-4, atol=1e-4)
    white = whitening.eval()(data)
    assert torch.allclose(white.T.cov(correction=0), torch.eye(6), atol=1e-3)
    # As far from each other as under the symmetric inverse root.
    values, vectors = torch.linalg.eigh(whitening.cov)
    symmetric = (data - data.mean(dim=0)) @ vectors @ (vectors / values.sqrt()).T
    assert torch.allclose(torch.cdist(white, white), torch.cdist(symmetric, symmetric),
                          atol=1e-2)  # fmt: skip
    whitening.reset()
    assert torch.equal(whitening.cov, torch.eye(6)) and whitening.steps == 0


def test_shrinkage_bounds_weak_directions_and_bad_batches_are_skipped():
    data = torch.randn(256, 2) * torch.tensor([1.0, 0.0])
    whitening = Whitening(2, shrinkage=1e-3).train()
    assert whitening(data).isfinite().all()
    before = whitening.cov.clone()
    whitening(torch.full((4, 2), float('nan')))
    assert torch.equal(whitening.cov, before) and whitening.steps == 1


def test_the_target_is_the_other_view():
    model = build(**VIEWS).train()
    views = [torch.randn(8, 3, 32, 32) for _ in range(2)]
    assert set(model.loss(views)) == {'loss_pixel'}
    assert set(model.loss(views[0])) == {'loss_pixel'}
    model.start_stage(2)
    with pytest.raises(UserError, match=r'needs 2 views.*data_preprocessor.views=2'):
        model.loss(views[0])
    head = model.head['view']
    torch.manual_seed(1)
    losses = model.loss(views)
    assert set(losses) == {'loss_pixel', 'loss_view', 'explained_view'}

    # The same, written out.
    torch.manual_seed(1)
    mask = model.masking(8, (8, 8), views[0].device)
    tokens = model.backbone.encode(views[0], mask).tokens
    pooled = tokens[:, 2:].mean(dim=1)
    features = model.target_generator(views[1]).mean(dim=1)
    cov = features.T.cov(correction=0)
    ridge = 1e-3 * cov.trace() / 48 * torch.eye(48)
    inverse = torch.linalg.inv(torch.linalg.cholesky(cov + ridge))
    target = (features - features.mean(dim=0)) @ inverse.T
    expected = F.mse_loss(head.pred(pooled), target)
    assert torch.allclose(losses['loss_view'], expected, rtol=1e-3)

    ours, theirs = (
        torch.autograd.grad(loss, model.backbone.cls_token, retain_graph=True)[0]
        for loss in (losses['loss_view'], expected)
    )
    assert torch.allclose(ours, theirs, rtol=1e-2, atol=1e-6)


def test_each_stage_has_a_new_predictor_and_new_statistics():
    model = build(**VIEWS).train()
    views = [torch.randn(8, 3, 32, 32) for _ in range(2)]
    model.start_stage(2)
    model.loss(views)
    head = model.head['view']
    weight = head.pred[0].weight.clone()
    assert head.whitening.steps == 1
    model.start_stage(3)
    assert head.whitening.steps == 0
    assert not torch.equal(head.pred[0].weight, weight)
    assert 'head.view.whitening.cov' in model.state_dict()


def test_masks_of_an_image_share_the_target():
    model = build(**VIEWS, masks_per_image=3).train()
    model.start_stage(2)
    views = [torch.randn(4, 3, 32, 32) for _ in range(2)]
    assert model.loss(views)['loss_view'].isfinite()
    head = model.head['view'].eval()
    x, source = torch.randn(12, 1, 48), torch.randn(4, 64, 48)
    target = head.target(source)
    expected = F.mse_loss(head.pred(x)[:, 0], torch.cat([target] * 3))
    assert torch.allclose(head.loss(x, source, None)['loss'], expected)


@pytest.mark.parametrize('pool', ['avg', 'cls', 'dist'])
def test_pooling(pool):
    neck = dict(VIEWS['neck'], view=dict(type='PooledTokens', pool=pool))
    model = build(neck=neck, head=VIEWS['head'])
    tokens = torch.randn(2, 18, 48)
    latent = type('Latent', (), dict(tokens=tokens))
    pooled = model.decoder('view')(latent, None)
    expected = dict(avg=tokens[:, 2:].mean(dim=1), cls=tokens[:, 0], dist=tokens[:, 1])
    assert torch.equal(pooled[:, 0], expected[pool])


def test_unknown_pooling():
    with pytest.raises(UserError, match="unknown pool='max'"):
        build(
            neck=dict(VIEWS['neck'], view=dict(type='PooledTokens', pool='max')),
            head=VIEWS['head'],
        )


@pytest.mark.parametrize(('layers', 'linear'), [(0, 1), (1, 2), (3, 4)])
def test_the_predictor_has_the_depth_and_width_asked_for(layers, linear):
    view = dict(type='ViewHead', hidden_layers=layers, hidden_channels=20)
    head = build(neck=VIEWS['neck'], head=dict(view=view)).head['view']
    found = [m for m in head.pred if isinstance(m, torch.nn.Linear)]
    assert len(found) == linear and len(head.pred) == 2 * linear - 1
    assert found[0].in_features == found[-1].out_features == 48
    assert all(m.out_features == 20 for m in found[:-1])
    x = torch.randn(3, 48)
    expected = x
    for number, layer in enumerate(found):
        expected = layer(expected if number == 0 else F.gelu(expected))
    assert torch.allclose(head.pred(x), expected)


def test_a_moving_average_as_the_teacher_of_views():
    model = build(**VIEWS, target_generator=dict(type='EMAEncoder', decay=0.5)).train()
    model.start_stage(2)
    assert model.head['view'].whitening.momentum == 0.01
    views = [torch.randn(8, 3, 32, 32) for _ in range(2)]
    assert model.loss(views)['loss_view'].isfinite()
    teacher = model.target_generator
    before, student = teacher.encoder.cls_token.clone(), model.backbone.cls_token
    with torch.no_grad():
        student.add_(1)
    model.after_step(0, 1, 2)
    assert torch.allclose(teacher.encoder.cls_token, (before + student) / 2)
