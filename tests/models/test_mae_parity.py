"""MAE equals the official code (golden files) and mmpretrain's implementation."""

import numpy as np
import pytest
import torch
from mmpretrain.registry import MODELS

from bootmae_plugin.checkpoints.formats import from_mae, from_mmpretrain
from bootmae_plugin.models import Mask
from tests.conftest import golden_files


def build_mae(img, patch, dim, depth, heads, dec_dim, dec_depth, dec_heads, **head):
    return MODELS.build(
        dict(
            type='BootMAE',
            backbone=dict(
                type='MaskedViT',
                arch=dict(embed_dims=dim, num_layers=depth, num_heads=heads),
                img_size=img,
                patch_size=patch,
            ),
            masking=dict(type='RandomMasking', mask_ratio=0.75),
            neck=dict(
                type='MAEDecoder',
                embed_dims=dec_dim,
                depth=dec_depth,
                num_heads=dec_heads,
            ),
            head=dict(pixel=dict(type='PixelHead', **head)),
        )
    )


def relative(a, b):
    a, b = torch.as_tensor(a), torch.as_tensor(b)
    return float((a - b).abs().max() / b.abs().max())


@pytest.mark.parametrize('path', golden_files('mae_*.npz'))
def test_mae_equals_the_official_code(path):
    data = np.load(path)
    config = [int(n) for n in data['config']]
    model = build_mae(*config, norm_pix=bool(data['norm_pix']))
    model.masking.mask_ratio = float(data['mask_ratio'])
    own = model.state_dict()
    weights = {k[7:]: data[k] for k in data.files if k.startswith('weight/')}
    weights = from_mae({k: torch.from_numpy(v) for k, v in weights.items()})
    # The computed position embeddings equal the official ones.
    assert relative(own['backbone.pos_embed'], weights['backbone.pos_embed']) < 1e-6
    assert relative(own['neck.pos_embed'], weights['neck.pos_embed']) < 1e-6
    model.load_state_dict(weights)

    images = torch.from_numpy(data['images'])
    mask = model.masking.from_noise(torch.from_numpy(data['noise']))
    assert torch.equal(mask.dense().float(), torch.from_numpy(data['mask']))
    ids_restore = torch.cat(mask[:2], dim=1).argsort(dim=1)
    assert torch.equal(ids_restore, torch.from_numpy(data['ids_restore']))

    latent = model.backbone.encode(images, mask)
    assert relative(latent.tokens.detach(), data['latent']) < 1e-5
    decoded = model.neck(latent, mask)
    pred = model.head['pixel'].pred(decoded)
    expected = torch.from_numpy(data['pred']).gather(
        1, mask.ids_mask[..., None].expand(-1, -1, pred.shape[-1])
    )
    assert relative(pred.detach(), expected) < 1e-5

    loss = model.head['pixel'].loss(decoded, images, mask)['loss']
    assert float(loss) == pytest.approx(float(data['loss']), rel=1e-5)
    loss.backward()
    grad = model.backbone.patch_embed.proj.weight.grad
    assert relative(grad, data['grad_patch_embed']) < 1e-4
    assert relative(model.neck.mask_token.grad, data['grad_mask_token']) < 1e-4


def test_loss_and_gradients_equal_mmpretrain(monkeypatch):
    theirs = MODELS.build(
        dict(
            type='MAE',
            backbone=dict(
                type='MAEViT',
                arch=dict(
                    embed_dims=48,
                    num_layers=3,
                    num_heads=3,
                    feedforward_channels=192,
                ),
                img_size=32,
                patch_size=4,
                mask_ratio=0.75,
            ),
            neck=dict(
                type='MAEPretrainDecoder',
                num_patches=64,
                patch_size=4,
                in_chans=3,
                embed_dim=48,
                decoder_embed_dim=32,
                decoder_depth=2,
                decoder_num_heads=4,
                mlp_ratio=4.0,
            ),
            head=dict(
                type='MAEPretrainHead',
                norm_pix=True,
                patch_size=4,
                loss=dict(type='PixelReconstructionLoss', criterion='L2'),
            ),
        )
    )
    theirs.init_weights()
    ours = build_mae(32, 4, 48, 3, 3, 32, 2, 4)
    weights = from_mmpretrain(theirs.state_dict())
    ours.load_state_dict(weights)

    images, noise = torch.randn(5, 3, 32, 32), torch.rand(5, 64)
    monkeypatch.setattr(torch, 'rand', lambda *_, **__: noise)
    loss_theirs = theirs.loss(images, None)['loss']
    loss_ours = ours.loss(images)['loss_pixel']
    assert float(loss_ours) == pytest.approx(float(loss_theirs), rel=1e-5)

    loss_theirs.backward()
    loss_ours.backward()
    gradients = from_mmpretrain(
        {k: p.grad for k, p in theirs.named_parameters() if p.requires_grad}
    )
    named = {k: p.grad for k, p in ours.named_parameters() if p.requires_grad}
    gradients.pop('stage_number')  # added by the conversion
    assert gradients.keys() == named.keys()
    for key, grad in named.items():
        assert torch.allclose(grad, gradients[key], rtol=1e-4, atol=1e-5), key


def test_masked_tokens_do_not_reach_the_encoder():
    model = build_mae(32, 4, 48, 2, 3, 32, 1, 4)
    mask = model.masking(2, (8, 8), torch.device('cpu'))
    images = torch.randn(2, 3, 32, 32)
    hidden = mask.dense().view(2, 1, 8, 8).repeat_interleave(4, 2)
    hidden = hidden.repeat_interleave(4, 3)
    changed = torch.where(hidden, torch.randn_like(images), images)
    latent = model.backbone.encode(images, mask)
    assert latent.tokens.shape == (2, 1 + 16, 48)
    assert torch.equal(latent.tokens, model.backbone.encode(changed, mask).tokens)


def test_a_dense_mask_is_true_where_a_patch_is_masked():
    mask = Mask(torch.tensor([[2, 0]]), torch.tensor([[1, 3]]))
    assert mask.dense().tolist() == [[False, True, False, True]]
