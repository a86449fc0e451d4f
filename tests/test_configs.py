"""Every config builds, trains one step, saves and loads."""

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmpretrain.registry import DATASETS, HOOKS, MODELS, PARAM_SCHEDULERS

from bootmae_plugin.checkpoints.read import read_checkpoint, state_dict_of
from tests.config_files import (
    ALL,
    BENCHMARKS,
    CONFIGS,
    PRETRAINING,
    batch,
    load,
    make_small,
    read,
)


@pytest.mark.parametrize('name', CONFIGS, ids=str)
def test_one_step_save_and_load(name, tmp_path):
    cfg = load(name)
    preprocessor = cfg.data_preprocessor
    model = MODELS.build(dict(cfg.model, data_preprocessor=preprocessor))
    model.init_weights()
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    schedulers = cfg.param_scheduler
    schedulers = schedulers if isinstance(schedulers, list) else [schedulers]
    for scheduler in schedulers:  # at a learning rate of zero nothing would train
        scheduler = dict(scheduler, end=10)
        PARAM_SCHEDULERS.build(
            scheduler, default_args=dict(optimizer=wrapper, epoch_length=5)
        )
    if hasattr(model, 'start_epoch'):
        model.start_epoch(1, 2)  # past the warm-up of the loss weights
    before = {k: v.clone() for k, v in model.named_parameters()}
    out = model.train_step(batch(cfg), wrapper)
    assert all(torch.isfinite(torch.as_tensor(v)).all() for v in out.values())
    after = dict(model.named_parameters())
    trained = {k for k in before if not torch.equal(before[k], after[k])}
    # In stage 1 the feature branch of MAE-K is not used; everything else is trained.
    waiting = ()
    if hasattr(model, 'active_branches'):
        active = [name for name, _ in model.active_branches()]
        waiting = tuple(f'head.{name}.' for name in model.head if name not in active)
    expected = {
        k
        for k, p in after.items()
        if p.requires_grad and not (waiting and k.startswith(waiting))
    }
    assert trained == expected

    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'x.pth')
    again = MODELS.build(dict(cfg.model, data_preprocessor=preprocessor))
    again.load_state_dict(state_dict_of(read_checkpoint(tmp_path / 'x.pth')))
    assert all(
        torch.equal(a, b)
        for a, b in zip(
            model.state_dict().values(), again.state_dict().values(), strict=True
        )
    )


@pytest.mark.parametrize('name', ALL, ids=str)
def test_hooks_and_data_sets_are_registered(name):
    cfg = load(name)
    for hook in cfg.default_hooks.values():
        assert HOOKS.get(hook.type) is not None
    assert cfg.auto_scale_lr.base_batch_size
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        if loader in cfg:
            assert DATASETS.get(cfg[loader].dataset.type) is not None
    if 'test_dataloader' in cfg:
        assert cfg.test_dataloader == cfg.val_dataloader
        test, train = cfg.test_dataloader.dataset, cfg.train_dataloader.dataset
        assert test != train


def encoder_of(cfg) -> tuple:
    """What a pretraining config and a benchmark must share to exchange checkpoints."""
    encoder = cfg.model.backbone
    arch = encoder.arch
    arch = arch if isinstance(arch, str) else tuple(sorted(arch.items()))
    return encoder.type, arch, encoder.img_size, encoder.patch_size


@pytest.mark.parametrize('name', BENCHMARKS, ids=str)
def test_a_pretraining_checkpoint_loads_into_every_benchmark(name, tmp_path):
    cfg = read(name)
    pretraining = next(
        selfsup
        for selfsup in (read(p) for p in PRETRAINING)
        if encoder_of(selfsup) == encoder_of(cfg)
    )
    for each in (pretraining, cfg):
        make_small(each)
    student = MODELS.build(pretraining.model)
    torch.save(dict(state_dict=student.state_dict()), tmp_path / 'stage_1.pth')
    cfg.model.backbone.init_cfg.checkpoint = str(tmp_path / 'stage_1.pth')
    model = MODELS.build(cfg.model)
    model.init_weights()
    given, loaded = student.backbone.state_dict(), model.backbone.state_dict()
    assert given.keys() == loaded.keys()
    assert all(torch.equal(given[key], loaded[key]) for key in given)


@pytest.mark.parametrize(
    'name', [p for p in BENCHMARKS if p.parts[1] in ('linear', 'mlp')], ids=str
)
def test_linear_and_mlp_evaluation_train_the_head_alone(name):
    model = MODELS.build(load(name).model)
    trained = {k.split('.')[0] for k, p in model.named_parameters() if p.requires_grad}
    assert trained == {'head'}


@pytest.mark.parametrize(
    ('name', 'options'),
    [
        ('selfsup/mae_vit-small-jax_cifar10.py', {'model.masking.type': 'GridMasking'}),
        ('selfsup/bootmae-eccv_deit-tiny_cifar10.py', {
            'model.neck.pixel.inject': 5, 'model.neck.feature.inject': 11}),
        ('selfsup/bootmae-eccv_deit-tiny_cifar10.py', {'model.masking.scatter': 0.18}),
        ('selfsup/bootmae_deit-tiny_cifar10.py', {
            'model.neck.embed_dims': 64, 'model.neck.depth': 3,
            'model.neck.num_heads': 4, 'model.masking.mask_ratio': 0.6,
            'model.head.feature.target_norm': 'layer'}),
        ('selfsup/bootmae_deit-tiny_cifar10.py', {'model.head.pixel.last_stage': None}),
        ('benchmarks/finetune/deit-tiny_cifar10.py', {
            'model.backbone.frozen_stages': 10}),
        ('benchmarks/finetune/deit-tiny_cifar10.py', {
            'data_preprocessor.batch_augments.probs': [1.0, 0.0]}),
        ('benchmarks/finetune/deit-tiny_cifar10.py', {
            'data_preprocessor.batch_augments': None,
            'model.head.loss.label_smooth_val': 0.0}),
        ('benchmarks/finetune/deit-tiny_cifar10.py', {
            'model.backbone.out_type': 'distilled', 'model.head.type': 'DeiTClsHead'}),
        ('benchmarks/finetune/deit-tiny_cifar10.py', {
            'model.backbone.out_type': 'cls'}),
    ],
)  # fmt: skip
def test_documented_overrides(name, options):
    cfg = load(name, small=False)  # they name blocks
    cfg.merge_from_dict(options)
    model = MODELS.build(dict(cfg.model, data_preprocessor=cfg.data_preprocessor))
    if 'model.head.pixel.last_stage' in options:
        model.start_stage(2)
        assert [name for name, _ in model.active_branches()] == ['pixel', 'feature']
    if 'model.backbone.frozen_stages' in options:
        trained = {k for k, p in model.named_parameters() if p.requires_grad}
        blocks = {k.split('.')[2] for k in trained if 'blocks' in k}
        assert blocks == {'10', '11'}
    out = model.train_step(batch(cfg), build_optim_wrapper(model, cfg.optim_wrapper))
    assert torch.isfinite(out['loss'])


@pytest.mark.parametrize('name', [p for p in CONFIGS if 'in1k' in p.name], ids=str)
def test_pipelines_of_the_imagenet_configs(name, tmp_path):
    from mmcv.transforms import Compose
    from mmpretrain.registry import TRANSFORMS
    from PIL import Image

    Image.effect_noise((300, 260), 60).convert('RGB').save(tmp_path / '0.jpg')
    cfg = load(name)
    for loader in ('train_dataloader', 'val_dataloader'):
        if loader in cfg:
            steps = [TRANSFORMS.build(t) for t in cfg[loader].dataset.pipeline]
            sample = dict(img_path=str(tmp_path / '0.jpg'), gt_label=3)
            out = Compose(steps)(sample)
            assert out['inputs'].shape == (3, 224, 224)
            assert int(out['data_samples'].gt_label) == 3
