"""Reconstructions show what the model predicted, un-normalized."""

import pytest
import torch

from bootmae_plugin import UserError
from bootmae_plugin.models.heads import patchify
from bootmae_plugin.visualization import load_model, reconstruct, set_mask_ratio
from tests.models.test_algorithm import build
from tests.tiny import tiny_config


@pytest.mark.parametrize('norm_pix', [True, False, 'channel'])
def test_a_perfect_prediction_gives_the_image_back(norm_pix):
    model = build(head=dict(pixel=dict(type='PixelHead', norm_pix=norm_pix)))
    images = torch.rand(2, 3, 32, 32)
    head = model.head['pixel']
    target = head.target(images)[0]
    masks = []
    model.masking.register_forward_hook(lambda *args: masks.append(args[-1]))

    class Perfect(torch.nn.Module):
        def forward(self, x):
            index = masks[-1].ids_mask[..., None].expand(-1, -1, target.shape[-1])
            return target.gather(1, index)

    head.pred = Perfect()
    panels = reconstruct(model, images)
    assert list(panels) == ['original', 'masked', 'reconstruction', 'pasted']
    assert torch.allclose(panels['pasted'], images, atol=1e-5)
    hidden = masks[-1].dense()
    masked = patchify(panels['masked'], 4)
    predicted = patchify(panels['reconstruction'], 4)
    assert torch.equal(masked[~hidden], patchify(images, 4)[~hidden])
    assert float(masked[hidden].abs().max()) == 0
    assert float(predicted[~hidden].abs().max()) == 0
    assert torch.allclose(predicted[hidden], patchify(images, 4)[hidden], atol=1e-5)


def test_a_stage_that_predicts_features():
    model = build()
    model.start_stage(2)
    with pytest.raises(UserError, match='stage 2 predicts features.*stage_1.pth'):
        reconstruct(model, torch.rand(1, 3, 32, 32))


def test_another_mask_ratio_keeps_the_other_options():
    options = dict(min_area=2, max_area=5, min_aspect=0.5, scatter=0.2)
    model = build(masking=dict(type='BlockMasking', mask_ratio=0.75, **options))
    before = model.masking
    set_mask_ratio(model, 0.5)
    assert model.masking.mask_ratio == 0.5
    assert (model.masking.min_area, model.masking.max_area) == (2, 5)
    assert (model.masking.scatter, model.masking.log_aspect) == (
        before.scatter,
        before.log_aspect,
    )
    assert before.mask_ratio == 0.75
    with pytest.raises(UserError, match='mask_ratio=0'):
        set_mask_ratio(model, 0)
    assert model.masking.mask_ratio == 0.5


def test_a_model_is_loaded_strictly_and_in_eval_mode(tmp_path):
    cfg = tiny_config(tmp_path)
    cfg.dump(tmp_path / 'config.py')
    model = build(**{k: v for k, v in cfg.model.items() if k != 'type'})
    torch.nn.init.normal_(model.backbone.cls_token)
    model.start_stage(2)
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'a.pth')
    loaded = load_model(tmp_path / 'config.py', tmp_path / 'a.pth')
    assert torch.equal(loaded.backbone.cls_token, model.backbone.cls_token)
    assert loaded.stage == 2
    assert not loaded.training
    torch.save(build().state_dict(), tmp_path / 'other.pth')
    with pytest.raises(UserError, match=r'other shapes.*give a checkpoint that'):
        load_model(tmp_path / 'config.py', tmp_path / 'other.pth')
    (tmp_path / 'empty.py').write_text('x = 1\n')
    with pytest.raises(UserError, match='trains no masked autoencoder'):
        load_model(tmp_path / 'empty.py', tmp_path / 'a.pth')
