"""bfloat16 training: how close it is to float32, and devices without bfloat16."""

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmpretrain.registry import MODELS

from bootmae_plugin.engine import Bf16OptimWrapper, autocast
from tests.tiny import tiny_config

DEVICES = ['cpu', *(['cuda'] if torch.cuda.is_available() else [])]


def one_step(type_, device, tmp_path):
    """Return loss, gradients, model and masks of one step in stage 2."""
    cfg = tiny_config(tmp_path)
    cfg.optim_wrapper.type = type_
    torch.manual_seed(0)
    model = MODELS.build(cfg.model).to(device).train()
    model.start_stage(2)
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    images = torch.randn(16, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    masks = []
    model.masking.register_forward_hook(lambda *call: masks.append(call[-1].dense()))
    torch.manual_seed(2)
    with wrapper.optim_context(model):
        losses = model.loss(images.to(device))
    losses['loss_feature'].backward()
    grads = torch.cat(
        [p.grad.flatten() for p in model.parameters() if p.grad is not None]
    )
    return losses['loss_feature'].detach(), grads, model, masks


@pytest.fixture
def emulated(monkeypatch):
    """Use bfloat16 also on a processor that emulates it."""
    monkeypatch.setattr(autocast, 'has_bf16', lambda device: True)


@pytest.mark.parametrize('device', DEVICES)
@pytest.mark.usefixtures('emulated')
def test_loss_and_gradients_stay_near_float32(device, tmp_path):
    exact, exact_grads, _, exact_masks = one_step('OptimWrapper', device, tmp_path)
    loss, grads, model, masks = one_step('Bf16OptimWrapper', device, tmp_path)
    assert len(masks) == 1 and torch.equal(masks[0], exact_masks[0])
    assert not torch.equal(loss, exact)  # autocast was on
    assert loss.dtype == torch.float32
    assert torch.isclose(loss, exact, rtol=0.01)
    cosine = torch.nn.functional.cosine_similarity(grads, exact_grads, dim=0)
    assert cosine > 0.995
    assert torch.isclose(grads.norm(), exact_grads.norm(), rtol=0.03)
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def losses_of(type_, tmp_path, steps=100):
    cfg = tiny_config(tmp_path)
    cfg.optim_wrapper.type = type_
    torch.manual_seed(0)
    model = MODELS.build(cfg.model).train()
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    images = torch.randn(64, 3, 32, 32).cumsum(dim=-1) / 4  # rows with structure
    values = []
    for _ in range(steps):
        with wrapper.optim_context(model):
            loss = model.loss(images[torch.randint(64, (16,))])['loss_pixel']
        wrapper.update_params(loss)
        values.append(float(loss.detach()))
    return torch.tensor(values)


@pytest.mark.usefixtures('emulated')
def test_a_hundred_steps_end_within_the_noise_of_float32(tmp_path):
    exact, fast = (losses_of(t, tmp_path) for t in ('OptimWrapper', 'Bf16OptimWrapper'))
    assert exact[-20:].mean() < 0.9 * exact[:5].mean()  # the loss has fallen
    noise = exact[-20:].std()  # of masks and images from step to step
    assert abs(fast[-20:].mean() - exact[-20:].mean()) < noise


def test_a_device_without_bfloat16_trains_in_float32(tmp_path, monkeypatch):
    monkeypatch.setattr(autocast, 'has_bf16', lambda device: False)
    exact, exact_grads, *_ = one_step('OptimWrapper', 'cpu', tmp_path)
    loss, grads, *_ = one_step('Bf16OptimWrapper', 'cpu', tmp_path)
    assert torch.equal(loss, exact)
    assert torch.equal(grads, exact_grads)


def test_gradients_are_accumulated_as_in_mmengine():
    parameter = torch.nn.Parameter(torch.zeros(1))
    module = torch.nn.Module()
    module.weight = parameter
    wrapper = Bf16OptimWrapper(
        optimizer=torch.optim.SGD([parameter], lr=1.0), accumulative_counts=2
    )
    wrapper.initialize_count_status(module, 0, 4)
    values = []
    for factor in (1.0, 3.0, 2.0, 4.0):
        with wrapper.optim_context(module):
            loss = (factor * module.weight).sum()
        wrapper.update_params(loss)
        values.append(parameter.item())
    assert values == [0.0, -2.0, -2.0, -5.0]  # the mean of two, every second step
