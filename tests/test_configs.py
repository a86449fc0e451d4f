"""Every config is named by the rule, builds, trains one step, saves and loads."""

import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmpretrain.registry import DATASETS, HOOKS, MODELS, PARAM_SCHEDULERS
from mmpretrain.structures import DataSample

from bootmae_plugin.checkpoints.read import read_checkpoint, state_dict_of
from bootmae_plugin.cli.variables import load_with_variables
from tests.tiny import ROOT

# Old names: one-line configs that inherit the new ones (configs/README.md).
OLD_NAMES = sorted(
    path.relative_to(ROOT / 'configs')
    for path in (ROOT / 'configs').rglob('bootmae_vit-*.py')
)
EVERY = sorted(
    path.relative_to(ROOT / 'configs')
    for path in (ROOT / 'configs').rglob('*.py')
    if '_base_' not in path.parts
)
NAMED = [path for path in EVERY if path not in OLD_NAMES]
# Those for mmsegmentation are built in tests/segmentation.
ALL = [path for path in NAMED if 'segmentation' not in path.parts]
# A twin equals its neighbor except for init_cfg (tested below), so it is not trained.
TWINS = [path for path in ALL if path.stem.endswith('_random')]
CONFIGS = [path for path in ALL if path not in TWINS]
BENCHMARKS = [path for path in CONFIGS if path.parts[0] == 'benchmarks']
PRETRAINING = [path for path in CONFIGS if path.parts[0] == 'selfsup']


def new_name(old: Path) -> Path:
    return old.with_name(old.name.replace('bootmae_', 'bootmae-eccv_', 1))


def read(name) -> Config:
    return Config.fromfile(ROOT / 'configs' / name, import_custom_modules=False)


def load(name) -> Config:
    cfg = read(name)
    if cfg.model.backbone.get('init_cfg'):
        assert cfg.model.backbone.init_cfg.type == 'Pretrained'
        cfg.model.backbone.init_cfg = None
    cfg.model.backbone.pop('drop_path_rate', None)  # would leave blocks out at random
    if cfg.model.get('target_generator', {}).get('type') == 'PretrainedEncoder':
        cfg.model.target_generator.random = True  # no weights are at hand
    make_shallow(cfg, 'benchmarks' in str(name))
    return cfg


def make_shallow(cfg, base: bool = True, width: int | None = None) -> None:
    """Give ViT-L (and ViT-B if ``base``) two blocks, with as many trainable ones."""
    backbone = cfg.model.backbone
    if backbone.arch == 'vit-large' or (base and backbone.arch == 'vit-base'):
        depth, dims = (24, 1024) if backbone.arch == 'vit-large' else (12, 768)
        backbone.arch = dict(embed_dims=width or dims, num_layers=2, num_heads=16)
        if backbone.get('frozen_stages', -1) >= 0:
            backbone.frozen_stages -= depth - 2
        if 'out_indices' in backbone:
            backbone.out_indices = 0


def batch(cfg) -> dict:
    """A batch of generated images as the config's data loader would return it."""
    side, dataset = cfg.model.backbone.img_size, cfg.train_dataloader.dataset
    size = 8 if side < 100 else 2
    inputs = torch.randint(0, 256, (size, 3, side, side), dtype=torch.uint8)
    labels = torch.arange(size)
    if dataset.type == 'InMemoryImages':
        # The preprocessor crops to the encoder's size, or the data set resizes to it.
        augment = cfg.data_preprocessor.get('augment') or {}
        assert augment.get('size', dataset.img_size) == side
        data = dict(inputs=inputs, sample_idx=torch.arange(size))
        return dict(data, gt_label=labels) if dataset.get('with_label', True) else data
    crop = [t for t in dataset.pipeline if t.type == 'RandomResizedCrop']
    assert [t.scale for t in crop] == [side]
    samples = [DataSample().set_gt_label(label) for label in labels]
    return dict(inputs=inputs, data_samples=samples)


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


@pytest.mark.parametrize('name', NAMED, ids=str)
def test_header_gives_the_command_the_cost_and_the_result(name):
    path = ROOT / 'configs' / name
    text = path.read_text()
    header = text[: re.search(r'^[^#]', text, re.MULTILINE).start()]
    tools = '(python tools/train.py|bash tools/dist_train.sh)'
    command = rf'^#   {tools} configs/{re.escape(str(name))}( |$)'
    assert re.search(command, header, re.MULTILINE), 'no command that trains it'
    assert re.search(r'^# Cost( and result)?: ', header, re.MULTILINE)
    assert re.search(r'^# (Result|Cost and result): ', header, re.MULTILINE)
    folders = path.parent, ROOT, ROOT / 'configs', ROOT / 'configs/_base_/datasets'
    for file in re.findall(r'(?<![\w.-])[\w./-]*\w\.(?:py|sh|md)\b', header):
        assert any((folder / file).is_file() for folder in folders), file


# What the first part of a name in selfsup/ says: the target encoder, and the masking.
METHODS = {
    'mae': (None, 'RandomMasking'),
    'bootmae': ('StageEncoder', 'RandomMasking'),
    'bootmae-ema': ('EMAEncoder', 'RandomMasking'),
    'bootmae-eccv': ('EMAEncoder', 'BlockMasking'),
    'feature-mae': ('PretrainedEncoder', 'RandomMasking'),
}
ENCODERS = {'deit': 'MaskedDeiT', 'vit': 'MaskedViT'}


@pytest.mark.parametrize('name', PRETRAINING, ids=str)
def test_the_name_says_method_encoder_and_data(name):
    method, encoder, data = name.stem.split('_')
    model = read(name).model
    teacher = model.get('target_generator')
    found = teacher and teacher.type, model.masking.type
    assert found == METHODS[method]
    assert model.backbone.type == ENCODERS[encoder.split('-')[0]]
    assert '_' not in data


@pytest.mark.parametrize(
    'name', [p for p in NAMED if p.parts[0] == 'benchmarks'], ids=str
)
def test_the_name_of_a_benchmark_says_recipe_encoder_and_data(name):
    parts = name.stem.removesuffix('_random').split('_')
    assert len(parts) == 2 or parts.pop(0) == 'bootmae-eccv'
    encoder, _ = parts
    backbone = read(name).model.backbone
    assert backbone.type.split('.')[-1] == ENCODERS[encoder.split('-')[0]]


@pytest.mark.parametrize('name', OLD_NAMES, ids=str)
def test_an_old_name_inherits_the_new_config(name):
    assert new_name(name) in NAMED
    assert read(name).to_dict() == read(new_name(name)).to_dict()


def test_the_number_of_old_names():
    assert len(OLD_NAMES) == 13  # as many as were renamed


NO_TWINS = [path for path in NAMED if not path.stem.endswith('_random')]


def override(name, **variables) -> Config:
    """Load a config as the tools do for --cfg-options that set its variables."""
    if 'segmentation' in name.parts:
        pytest.importorskip('mmseg', reason='mmsegmentation is not installed')
    assert variables.keys() <= read(name).keys()
    return load_with_variables(ROOT / 'configs' / name, variables)


@pytest.mark.parametrize(
    'name', [p for p in NO_TWINS if not p.stem.endswith('_digits')], ids=str
)
def test_overriding_data_root_reaches_all_uses(name):
    changed = override(name, data_root='elsewhere').to_dict()
    loaders = [key for key in changed if key.endswith('_dataloader')]
    assert len(loaders) in (1, 3)
    for key in loaders:
        assert "'elsewhere" in str(changed[key])
    default = read(name).data_root
    assert default.startswith('data/')
    assert default not in str(changed)


SIZE_KEYS = ('img_size', 'size', 'scale', 'crop_size')


def sizes_in(settings) -> set[int]:
    """Every number under a key that means an image size."""
    if isinstance(settings, list | tuple):
        return set().union(*map(sizes_in, settings))
    if not isinstance(settings, dict):
        return set()
    own = {v for k, v in settings.items() if k in SIZE_KEYS and isinstance(v, int)}
    return own.union(*map(sizes_in, settings.values()))


@pytest.mark.parametrize('name', CONFIGS, ids=str)
def test_overriding_img_size_reaches_all_uses(name):
    old = read(name).img_size
    assert old in sizes_in(read(name).to_dict())
    cfg = override(name, img_size=2 * old)
    assert cfg.img_size == cfg.model.backbone.img_size == 2 * old
    batch(cfg)  # the data set and the crops have the size of the encoder
    # An evaluation pipeline also resizes the short edge, to 8 / 7 of the size.
    assert sizes_in(cfg.to_dict()) <= {2 * old, 2 * old * 8 // 7}
    out_type = cfg.model.backbone.get('out_type', '')
    if out_type.startswith('flatten'):
        model = MODELS.build(dict(cfg.model, data_preprocessor=cfg.data_preprocessor))
        images = torch.zeros(2, 3, 2 * old, 2 * old)
        assert len(model(images, mode='tensor')) == 2


@pytest.mark.parametrize('name', BENCHMARKS, ids=str)
def test_every_benchmark_has_a_twin_from_random_weights(name):
    twin = name.with_stem(f'{name.stem}_random')
    assert twin in TWINS
    pretrained, random = (read(p) for p in (name, twin))
    assert pretrained.model.backbone.pop('init_cfg') == dict(
        type='Pretrained', checkpoint=''
    )
    assert random.model.backbone.pop('init_cfg') is None
    assert pretrained.to_dict() == random.to_dict()


def test_every_twin_belongs_to_a_benchmark():
    assert len(TWINS) == len(BENCHMARKS)


@pytest.mark.parametrize(
    'name', [p for p in BENCHMARKS if p.parts[1] == 'partial'], ids=str
)
def test_partial_finetuning_is_finetuning_of_the_last_block(name):
    full, part = (
        read(Path('benchmarks', folder, name.name))
        for folder in ('finetune', 'partial')
    )
    assert part.model.backbone.pop('frozen_stages') == 11
    assert full.to_dict() == part.to_dict()


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
        make_shallow(each, width=64)
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


def test_the_standard_pipeline_is_a_drop_in_for_the_folder_config(tmp_path):
    from mmengine.runner import Runner
    from PIL import Image

    for i in range(4):
        Image.effect_noise((80 + i, 70), 50).convert('RGB').save(tmp_path / f'{i}.jpg')
    config = tmp_path / 'config.py'
    text = (ROOT / 'configs/selfsup/bootmae_deit-tiny_folder.py').read_text()
    text = text.replace('folder_selfsup.py', 'folder_pipeline_selfsup.py')
    text = text.replace("'../_base_", f"'{ROOT}/configs/_base_")
    text = text.replace("'data/images'", repr(str(tmp_path)))
    for line in (  # what only the in-memory route has
        'data_preprocessor = dict(augment=dict(size=img_size))\n',
        'dataset=dict(img_size=img_size, source=dict(data_root=data_root))',
    ):
        assert line in text
    text = text.replace('data_preprocessor = dict(augment=dict(size=img_size))\n', '')
    text = text.replace(
        'dict(img_size=img_size, source=dict(data_root=data_root))',
        'dict(data_root=data_root)',
    )
    config.write_text(text)
    cfg = Config.fromfile(config)
    cfg.train_dataloader.update(batch_size=4, num_workers=0, persistent_workers=False)
    (data,) = Runner.build_dataloader(cfg.train_dataloader, seed=0)
    model = MODELS.build(dict(cfg.model, data_preprocessor=cfg.data_preprocessor))
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    assert torch.isfinite(model.train_step(data, wrapper)['loss'])


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
    cfg = load(name)
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
