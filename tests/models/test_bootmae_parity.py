"""BootMAE equals the official code in predictions, features, losses and gradients."""

import numpy as np
import pytest
import torch
from mmpretrain.registry import MODELS

from bootmae_plugin.models import Mask
from tests.conftest import golden_files
from tests.models.test_mae_parity import relative


def build(img, patch, dim, depth, heads, dec_dim, dec_depth, num_masked, weighted):
    cross = dict(type='CrossAttentionDecoder', depth=dec_depth, num_heads=heads)
    patches = (img // patch) ** 2
    return MODELS.build(
        dict(
            type='BootMAE',
            backbone=dict(
                type='MaskedViT',
                arch=dict(embed_dims=dim, num_layers=depth, num_heads=heads),
                img_size=img,
                patch_size=patch,
                init='bootmae',
            ),
            masking=dict(type='BlockMasking', mask_ratio=num_masked / patches),
            neck=dict(
                pixel=dict(cross, embed_dims=dec_dim, inject=0),
                feature=dict(cross, embed_dims=dim, inject=-1),
            ),
            head=dict(
                pixel=dict(
                    type='PixelHead',
                    norm_pix='channel',
                    shared_bias=True,
                    weight_neighbors=weighted,
                ),
                feature=dict(
                    type='FeatureHead',
                    target_norm='layer',
                    norm_pred=True,
                    weight_neighbors=weighted,
                    loss_warmup=0.25,
                ),
            ),
            target_generator=dict(type='EMAEncoder', final_norm=False),
        )
    )


@pytest.fixture(params=golden_files('bootmae_*.npz'))
def golden(request):
    return np.load(request.param)


def load(golden, weighted=True):
    """The plugin's model with the official student and EMA weights."""
    from bootmae_plugin.checkpoints.formats import from_bootmae

    model = build(*(int(n) for n in golden['config']), weighted)
    student, teacher = (
        {
            k.removeprefix(prefix): torch.from_numpy(golden[k])
            for k in golden.files
            if k.startswith(prefix)
        }
        for prefix in ('weight/', 'ema_weight/')
    )
    weights = from_bootmae(student, teacher)
    own = model.state_dict()
    side = model.backbone.geometry.grid[0]
    for name in [n for n in own if n.endswith('pos_embed')]:
        # BootMAE's table is MAE's with rows and columns exchanged.
        table = (
            own[name][:, 1:].unflatten(1, (side, side)).transpose(1, 2).flatten(1, 2)
        )
        assert relative(table, weights[name][:, 1:]) < 1e-5, name
    model.load_state_dict(weights)
    mask = Mask.from_dense(torch.from_numpy(golden['mask']).bool())
    return model, torch.from_numpy(golden['images']), mask


def at(mask, full):
    """Rows of the masked patches of (B, L, C)."""
    full = torch.as_tensor(full)
    return full.gather(1, mask.ids_mask[..., None].expand(-1, -1, full.shape[-1]))


def test_predictions_features_and_target(golden):
    from bootmae_plugin.models.patches import patchify

    model, images, mask = load(golden)
    model.eval()
    with torch.no_grad():
        latent = model.backbone.encode(images, mask, model.injected)
        pixels, features = (
            model.head[name].pred(model.decoder(name)(latent, mask))
            for name in ('pixel', 'feature')
        )
        teacher = model.target_generator(images)
        target, _, _ = model.head['pixel'].target(images)
    patch = int(golden['config'][1])
    predicted = patchify(torch.from_numpy(golden['pred_pixels']), patch)
    assert relative(pixels, at(mask, predicted)) < 1e-4
    assert relative(features, at(mask, golden['pred_features'])) < 1e-4
    assert relative(teacher, golden['ema_features']) < 1e-4
    expected = patchify(torch.from_numpy(golden['pixel_target']), patch)
    assert relative(target, expected) < 1e-4


@pytest.mark.parametrize('weighted', [True, False])
def test_losses(golden, weighted):
    model, images, mask = load(golden, weighted)
    model.masking.forward = lambda *_: mask
    for head in model.head.values():
        head.branch_weight = 1.0
    losses = model.loss(images)
    kind = 'weighted' if weighted else 'plain'
    for name in ('pixel', 'feature'):
        expected = float(golden[f'loss_{name}_{kind}'])
        assert float(losses[f'loss_{name}']) == pytest.approx(expected, rel=1e-4)


def test_gradients(golden):
    model, images, mask = load(golden)
    model.masking.forward = lambda *_: mask
    for head in model.head.values():
        head.branch_weight = 1.0
    losses = model.loss(images)
    (losses['loss_pixel'] + losses['loss_feature']).backward()
    for name, parameter in dict(
        grad_patch_embed=model.backbone.patch_embed.proj.weight,
        grad_last_mlp=model.backbone.blocks[-1].mlp.fc2.weight,
        grad_mask_token_1=model.neck['feature'].mask_token,
    ).items():
        grad = parameter.grad
        if name == 'grad_last_mlp' and golden[name].shape != tuple(grad.shape):
            grad = model.backbone.blocks[-1].mlp.fc1.weight.grad
        assert relative(grad, golden[name]) < 1e-4, name
