"""Muon's parameter groups: which parameter goes where, values, resume, stages."""

import copy

import pytest
import timm.optim.muon
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmpretrain.registry import MODELS
from torch import nn

from bootmae_plugin import UserError
from bootmae_plugin.engine import MuonConstructor, muon
from bootmae_plugin.engine.muon import newton_schulz
from tests.reliability.resuming import assert_same, train
from tests.tiny import ROOT, TINY

MUON = dict(type='timm.optim.Muon', lr=1e-2, betas=(0.9, 0.95), weight_decay=0.05)


def model_and_wrapper(config='bootmae_deit-tiny_digits', optimizer=MUON, **options):
    cfg = Config.fromfile(ROOT / f'configs/selfsup/{config}.py')
    cfg.merge_from_dict(TINY)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model).train()
    settings = dict(
        cfg.optim_wrapper, type='OptimWrapper', constructor='MuonConstructor', **options
    )
    settings['optimizer'] = optimizer
    return model, build_optim_wrapper(model, copy.deepcopy(settings))


def muon_names(model, wrapper):
    names = {parameter: name for name, parameter in model.named_parameters()}
    return {
        names[parameter]
        for group in wrapper.optimizer.param_groups
        if group['use_muon']
        for parameter in group['params']
    }


@pytest.mark.parametrize('native', [True, False])
def test_orthogonalization_in_the_precision_of_the_device(native, monkeypatch):
    monkeypatch.setattr('bootmae_plugin.engine.muon.has_bf16', lambda device: native)
    model_and_wrapper()
    used = timm.optim.muon.zeropower_via_newtonschulz  # by the optimizer's step
    gradient = torch.randn(6, 24, generator=torch.Generator().manual_seed(0))
    # The coefficients that timm's default repeats (Jordan et al. 2024).
    settings = dict(steps=5, coefficients=[(3.4445, -4.775, 2.0315)])
    found = used(gradient, **settings)
    dtype = torch.bfloat16 if native else torch.float32
    expected = newton_schulz(gradient, **settings, dtype=dtype)
    assert found.dtype == dtype and torch.equal(found, expected)
    # Roughly orthogonal: all singular values are between .7 and 1.2.
    assert ((torch.linalg.svdvals(found.float()) - 0.95).abs() < 0.3).all()


def test_matrices_of_the_blocks_go_to_muon():
    model, wrapper = model_and_wrapper()
    matrices = (
        'attn.qkv.weight',
        'attn.proj.weight',
        'mlp.fc1.weight',
        'mlp.fc2.weight',
    )
    assert muon_names(model, wrapper) == {
        f'{part}.blocks.{number}.{matrix}'
        for part, depth in (('backbone', 2), ('neck', 1))
        for number in range(depth)
        for matrix in matrices
    }
    # Muon's matrices; AdamW's embeddings and predictions; vectors without decay.
    groups = wrapper.optimizer.param_groups
    roles = {(group['use_muon'], group['weight_decay']) for group in groups}
    assert roles == {(True, 0.05), (False, 0.05), (False, 0.0)}
    trained = [p for p in model.parameters() if p.requires_grad]
    assert sum(len(group['params']) for group in groups) == len(trained)


def test_a_step_is_that_of_torch(monkeypatch):
    """timm's update is torch.optim.Muon's on matrices and torch's AdamW on the rest."""
    monkeypatch.setattr(muon, 'has_bf16', lambda device: True)  # as torch does it
    model, wrapper = model_and_wrapper()
    twin = copy.deepcopy(model)
    chosen = muon_names(model, wrapper)
    parameters = dict(twin.named_parameters())
    reference = torch.optim.Muon(
        [parameters[name] for name in chosen],
        lr=1e-2,
        weight_decay=0.05,
        momentum=0.95,
        nesterov=False,
        adjust_lr_fn='match_rms_adamw',
    )
    no_decay = ('bias', 'norm', 'token', 'pos_embed')
    rest = {n: p for n, p in parameters.items() if n not in chosen and p.requires_grad}
    groups = [
        dict(params=[p], weight_decay=0.0 if any(k in n for k in no_decay) else 0.05)
        for n, p in rest.items()
    ]
    eps = wrapper.optimizer.defaults['eps']  # timm's is that of both updates
    adamw = torch.optim.AdamW(groups, lr=1e-2, betas=(0.9, 0.95), eps=eps)
    sum(model.loss(torch.randn(4, 3, 32, 32)).values()).backward()
    for ours, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        theirs.grad = None if ours.grad is None else ours.grad.clone()
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    wrapper.step()
    reference.step()
    adamw.step()
    for name, ours in model.named_parameters():
        if name in chosen:
            # Newton-Schulz iterations differ in their coefficients; both end near the
            # same orthogonal matrix.
            steps = [(p - before[name]).flatten() for p in (ours, parameters[name])]
            cosine = torch.nn.functional.cosine_similarity(*steps, dim=0)
            ratio = steps[0].norm() / steps[1].norm()
            assert cosine > 0.97 and 0.8 < ratio < 1.25, (name, cosine, ratio)
        else:
            assert torch.allclose(ours, parameters[name], atol=1e-5), name


def test_matrices_of_a_shape_are_updated_at_once(monkeypatch):
    """The path of a GPU gives timm's values, in one call for each shape."""
    generator = torch.Generator().manual_seed(0)
    shapes = [(6, 24), (24, 6), (6, 24), (6, 6)]
    before = [[torch.randn(s, generator=generator) for s in shapes] for _ in range(3)]
    options = dict(
        lr=1e-2,
        weight_decay=0.05,
        momentum=0.95,
        nesterov=False,
        ns_steps=5,
        ns_coefficients='quintic',
        eps=1e-7,
        safety_factor=1.0,
        adjust_lr_fn='match_rms_adamw',
        conv_mode='flatten',
        normalize_spatial=True,
        scale_eps=False,
    )
    theirs, ours = copy.deepcopy(before), copy.deepcopy(before)
    muon.one_by_one(*theirs, **options)
    calls = []

    def recorded(matrices, *args, **kwargs):
        calls.append(tuple(matrices[0].shape))
        timm_muon(matrices, *args, **kwargs)

    timm_muon = muon.one_by_one
    monkeypatch.setattr(muon, 'one_by_one', recorded)
    muon.update_by_shape(*ours, **options)
    assert calls == [(6, 24, 2), (24, 6, 1), (6, 6, 1)]
    for part, (one, two) in enumerate(zip(ours, theirs, strict=True)):
        for a, b, c in zip(one, two, before[part], strict=True):
            assert torch.allclose(a, b, rtol=0, atol=1e-6)
            assert torch.equal(a, c) == (part == 1)  # gradients are only read


@pytest.mark.parametrize(
    ('device', 'shape', 'stacked'),
    [('cpu', (2, 3), False), ('meta', (2, 3), True), ('meta', (2, 3, 1), False)],
)
def test_matrices_are_stacked_off_the_cpu(device, shape, stacked, monkeypatch):
    called = []
    for name in ('one_by_one', 'update_by_shape'):
        monkeypatch.setattr(muon, name, lambda *_, name=name: called.append(name))
    model_and_wrapper()
    matrices = [torch.empty(shape, device=device)]
    timm.optim.muon.muon(matrices, [], [])  # as timm's optimizer calls it
    assert called == ['update_by_shape' if stacked else 'one_by_one']


def test_accumulated_gradients_are_one_step():
    images = torch.randn(4, 3, 32, 32)
    weights = []
    for count in (1, 2):
        model, wrapper = model_and_wrapper(accumulative_counts=count)
        wrapper.initialize_count_status(model, 0, 2 * count)
        for _ in range(count):
            torch.manual_seed(1)
            wrapper.update_params(sum(model.loss(images).values()))
        weights.append(model.state_dict())
    for name, one in weights[0].items():
        assert torch.allclose(one.float(), weights[1][name].float(), atol=2e-3), name


def test_layers_decay_within_both_kinds():
    cfg = Config.fromfile(ROOT / 'configs/benchmarks/finetune/deit-tiny_digits.py')
    cfg.model.backbone.update(init_cfg=None, arch=TINY['model.backbone.arch'])
    cfg.model.head.in_channels = TINY['model.backbone.arch']['embed_dims']
    model = MODELS.build(cfg.model)
    settings = dict(
        cfg.optim_wrapper,
        type='OptimWrapper',
        constructor='MuonLayerDecayConstructor',
        optimizer=MUON,
    )
    wrapper = build_optim_wrapper(model, settings)
    names = {parameter: name for name, parameter in model.named_parameters()}
    found = {
        names[parameter]: (group['lr'], group['use_muon'])
        for group in wrapper.optimizer.param_groups
        for parameter in group['params']
    }
    trained = {name for p, name in names.items() if p.requires_grad}
    assert set(found) == trained
    # The config decays by 0.9 a layer. Two blocks: head depth 3, embedding depth 0.
    expected = {
        'backbone.patch_embed.proj.weight': (1e-2 * 0.9**3, False),
        'backbone.blocks.0.attn.qkv.weight': (1e-2 * 0.9**2, True),
        'backbone.blocks.0.attn.qkv.bias': (1e-2 * 0.9**2, False),
        'backbone.blocks.1.mlp.fc2.weight': (1e-2 * 0.9, True),
        'head.fc.weight': (1e-2, False),
    }
    for name, (rate, use_muon) in expected.items():
        assert found[name] == (pytest.approx(rate), use_muon), name


def test_other_optimizers_and_models_are_refused():
    with pytest.raises(UserError, match="needs optimizer.type='timm.optim.Muon'"):
        model_and_wrapper(optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.05))
    settings = dict(type='OptimWrapper', constructor='MuonConstructor', optimizer=MUON)
    with pytest.raises(UserError, match='no transformer blocks in Linear'):
        build_optim_wrapper(nn.Linear(2, 2), settings)


def test_a_resumed_run_through_a_stage_switch_is_exact(tmp_path):
    options = dict(
        optim_wrapper__constructor='MuonConstructor',
        optim_wrapper__optimizer=dict(_delete_=True, **MUON),
    )
    train(tmp_path / 'whole', **options)
    train(tmp_path / 'resumed', stop=3, **options)  # within stage 2
    train(tmp_path / 'resumed', resume=True, **options)
    assert_same(tmp_path / 'resumed/epoch_4.pth', tmp_path / 'whole/epoch_4.pth')


def test_the_class_is_registered():
    from mmpretrain.registry import OPTIM_WRAPPER_CONSTRUCTORS

    assert OPTIM_WRAPPER_CONSTRUCTORS.get('MuonConstructor') is MuonConstructor
