"""Pictures: what is shown is what the model predicted, un-normalised."""

import copy

import numpy as np
import pytest
import torch
from mmpretrain.registry import RUNNERS
from PIL import Image

from bootmae_plugin import UserError
from bootmae_plugin.models.heads import patchify
from bootmae_plugin.visualization import (
    load_model,
    plot_losses,
    quadruplets,
    reconstruct,
    save_mask_sweep,
    save_quadruplets,
)
from tests.models.test_algorithm import build
from tests.tiny import tiny_config


@pytest.mark.parametrize('norm_pix', [True, False, 'channel'])
def test_a_perfect_prediction_gives_the_image_back(norm_pix, monkeypatch):
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


def test_bootmae_and_a_stage_of_features():
    model = build()
    model.start_stage(2)
    with pytest.raises(UserError, match='stage 2 predicts features.*stage_1.pth'):
        reconstruct(model, torch.rand(1, 3, 32, 32))


def test_files_and_the_array(tmp_path):
    preprocessor = dict(type='BatchDataPreprocessor', mean=[100.0] * 3, std=[50.0] * 3)
    model = build(data_preprocessor=preprocessor).eval()
    images = torch.randint(0, 256, (3, 3, 32, 32), dtype=torch.uint8)
    array = quadruplets(model, images)
    assert array.shape == (3 * 34, 4 * 34, 3)
    shown = torch.from_numpy(array[1:33, 1:33].copy()).permute(2, 0, 1)
    assert torch.equal(shown, images[0])  # original, un-normalised exactly
    for save in (save_quadruplets, save_mask_sweep):
        path = save(model, images, tmp_path / f'{save.__name__}.png')
        assert np.asarray(Image.open(path)).std() > 10
    assert model.masking.mask_ratio == 0.75  # the sweep put it back


def test_the_hook_draws_and_does_not_disturb_the_run(tmp_path):
    weights = []
    for name, hooks in (
        ('without', []),
        ('with', [dict(type='ReconstructionHook', interval=1, number=4)]),
    ):
        cfg = tiny_config(tmp_path / name, epochs=4, stages=2, custom_hooks=hooks)
        runner = RUNNERS.build(copy.deepcopy(cfg))
        runner.train()
        weights.append(runner.model.state_dict())
    assert all(torch.equal(weights[0][k], weights[1][k]) for k in weights[0])
    pictures = sorted(p.name for p in (tmp_path / 'with').rglob('reconstruction*.png'))
    assert pictures == ['reconstruction_1.png', 'reconstruction_2.png']  # stage 1

    config = tmp_path / 'with/bootmae_deit-tiny_digits.py'
    model = load_model(config, tmp_path / 'with/stage_1.pth')
    assert model.stage == 1
    assert not model.training
    with pytest.raises(UserError, match=r'missing keys.*unexpected keys'):
        torch.save(build().state_dict(), tmp_path / 'other.pth')
        load_model(config, tmp_path / 'other.pth')
    path = plot_losses(tmp_path / 'with', tmp_path / 'loss.png')
    assert np.asarray(Image.open(path)).std() > 10


def test_no_log_to_draw(tmp_path):
    with pytest.raises(UserError, match='holds no log'):
        plot_losses(tmp_path, tmp_path / 'x.png')
