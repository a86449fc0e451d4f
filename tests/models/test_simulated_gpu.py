"""The forward pass on a simulated GPU: one device, and nothing that it waits for.

torch's fake tensors have a device and no values: an operation on two devices fails, and
so does one that reads a value. The backward pass needs a real GPU.
"""

import copy

import pytest
import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS
from torch import nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    FakeTensorMode,
)

from bootmae_plugin.engine import muon
from tests.models.test_no_host_reads import MASKINGS
from tests.tiny import ROOT

GPU = torch.device('cuda', 0)
ARCH = dict(_delete_=True, embed_dims=24, num_layers=2, num_heads=2)
SMALL = {'model.backbone.arch': ARCH}
COLORS = {'data_preprocessor.color.type': 'BatchColorJitter'}
CROSS_MAE = {
    'model.neck.pixel.type': 'CrossMAEDecoder',
    'model.neck.pixel.predict_ratio': 0.5,
    'model.masks_per_image': 2,
}
CASES = {
    'MAE-K': ('bootmae_deit-tiny-d48_cifar10', {}),
    'moving average': ('bootmae-ema_deit-tiny_cifar10', {}),
    'views': ('bootmae-views_deit-tiny-d48_cifar10', COLORS),
    'views, CrossMAE': ('bootmae-views_deit-tiny-d48_cifar10', CROSS_MAE),
    'uniformity': ('umae_deit-tiny-d48_cifar10', {}),
    **{
        loss: ('mae-joint_deit-tiny-d48_cifar10', {'model.head.view.loss': loss})
        for loss in ('vicreg', 'simclr', 'lejepa')
    },
}


@pytest.fixture
def fake():
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        try:
            torch.empty(1, device=GPU)
        except (AssertionError, RuntimeError) as error:
            pytest.skip(f'this torch simulates no GPU: {error}')
        yield mode


def move(model: nn.Module) -> nn.Module:
    """Replace all parameters and buffers by fake ones on the GPU."""
    for module in model.modules():
        for name, value in module._parameters.items():
            if value is not None:
                fake = torch.empty(value.shape, dtype=value.dtype, device=GPU)
                fake = nn.Parameter(fake, requires_grad=value.requires_grad)
                module._parameters[name] = fake
        for name, value in module._buffers.items():
            if value is not None:
                fake = torch.empty(value.shape, dtype=value.dtype, device=GPU)
                module._buffers[name] = fake
    model.data_preprocessor._device = GPU
    return model


@pytest.fixture(params=CASES)
def model(request):
    name, options = CASES[request.param]
    cfg = Config.fromfile(ROOT / f'configs/selfsup/{name}.py')
    cfg.merge_from_dict(copy.deepcopy(SMALL | options))
    preprocessor = cfg.data_preprocessor
    return MODELS.build(dict(cfg.model, data_preprocessor=preprocessor)).train()


def test_a_step_stays_on_the_gpu_and_reads_nothing(model, fake):
    move(model)
    batch = dict(inputs=torch.empty(4, 3, 32, 32, dtype=torch.uint8))  # as it is loaded
    stages = 1 if model.target_generator is None else 2
    for model._stage in range(1, stages + 1):
        inputs = model.data_preprocessor(batch, training=True)['inputs']
        losses = model.loss(inputs)
        assert {value.device for value in losses.values()} == {GPU}
        assert len(losses) >= len(model.active_branches()) >= 1
    with torch.no_grad():
        model.after_step(0, 1, 2)  # a moving average follows


@pytest.mark.parametrize('kind', MASKINGS)
def test_masks_are_drawn_on_the_gpu(kind, fake):
    mask = MASKINGS[kind](4, (8, 8), GPU)
    assert mask.ids_keep.device == mask.ids_mask.device == GPU


def test_muon_stays_on_the_gpu(fake):
    parts = [[torch.empty(s, device=GPU) for s in ((4, 6), (4, 6), (6, 4))]] * 3
    options = dict(lr=1e-2, weight_decay=0.05, momentum=0.95, nesterov=False)
    options |= dict(ns_steps=5, ns_coefficients='quintic', eps=1e-7, scale_eps=False)
    options |= dict(safety_factor=1.0, adjust_lr_fn='match_rms_adamw')
    muon.update(*parts, **options, conv_mode='flatten', normalize_spatial=True)


def test_mistakes_are_found(fake):
    on_gpu = torch.empty(4, 4, device=GPU)
    with pytest.raises(RuntimeError, match='device'):
        on_gpu + torch.empty(4, 4)
    with pytest.raises(DataDependentOutputException):
        on_gpu.sum().item()
