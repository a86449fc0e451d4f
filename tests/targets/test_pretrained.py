"""Other backbones as teachers: their features, weights and grids."""

import copy

import pytest
import timm
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmpretrain.registry import MODELS

from bootmae_plugin import UserError
from bootmae_plugin.targets import PretrainedEncoder
from tests.models.test_algorithm import build
from tests.tiny import ARCH, ROOT, student, tiny_config

BACKBONES = dict(
    plugin=dict(
        type='MaskedDeiT', arch=ARCH, img_size=32, patch_size=4, out_type='raw'
    ),
    mmpretrain=dict(
        type='VisionTransformer',
        arch=dict(
            embed_dims=24, num_layers=2, num_heads=2, feedforward_channels=48
        ),
        img_size=32,
        patch_size=4,
        out_type='featmap',
    ),
    timm=dict(
        type='TIMMBackbone', model_name='test_vit', img_size=32, patch_size=4
    ),
)  # fmt: skip


def pretrained(backbone, **options):
    if not options:
        options = dict(random=True)
    return dict(type='PretrainedEncoder', backbone=backbone, **options)


@pytest.mark.parametrize('name', BACKBONES)
def test_features_of_other_backbones(name):
    model = build(
        target_generator=pretrained(BACKBONES[name]),
        head=dict(type='FeatureHead', target_norm='layer'),
    ).train()
    teacher = model.target_generator
    images = torch.randn(2, 3, 32, 32)
    features = teacher(images)
    assert features.shape == (2, 64, teacher.out_channels)
    output = teacher.encoder(images)[-1]
    if name == 'mmpretrain':
        assert torch.equal(features[:, 9], output[:, :, 1, 1])  # row 1, column 1
    else:  # behind class and distillation token, or the class token alone
        first = 2 if name == 'plugin' else 1
        assert torch.equal(features, output[:, first:])
    assert not any(m.training for m in teacher.modules())
    model.loss(images)['loss_main'].backward()
    assert all(p.grad is None for p in teacher.parameters())


def save_backbone(path, seed=7):
    """A checkpoint of mmpretrain's VisionTransformer; all its tensors are random."""
    backbone = MODELS.build(BACKBONES['mmpretrain'])
    generator = torch.Generator().manual_seed(seed)
    weights = {
        key: torch.randn(value.shape, generator=generator) / 10
        for key, value in backbone.state_dict().items()
    }
    torch.save(dict(state_dict=weights), path)
    return weights


def assert_loaded(teacher, weights):
    loaded = teacher.encoder.state_dict()
    assert loaded.keys() == weights.keys()
    for key, value in weights.items():
        assert torch.equal(loaded[key], value), key


def test_the_runner_keeps_every_tensor_of_a_teacher(tmp_path):
    weights = save_backbone(tmp_path / 'teacher.pth')
    cfg = tiny_config(tmp_path / 'run', epochs=1, stages=1)
    size = cfg.model.backbone.img_size
    cfg.model.head = dict(feature=dict(type='FeatureHead'))
    cfg.model.target_generator = pretrained(
        dict(BACKBONES['mmpretrain'], img_size=size, patch_size=size // 8),
        checkpoint=str(tmp_path / 'teacher.pth'),
    )
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert_loaded(runner.model.target_generator, weights)


def test_a_model_without_init_weights_loads_its_teacher_before_its_first_use(tmp_path):
    weights = save_backbone(tmp_path / 'teacher.pth')
    teacher = pretrained(
        BACKBONES['mmpretrain'], checkpoint=str(tmp_path / 'teacher.pth')
    )
    model = build(target_generator=teacher, head=dict(type='FeatureHead'))
    model.loss(torch.randn(2, 3, 32, 32))
    assert_loaded(model.target_generator, weights)
    # Weights from a checkpoint of the run are kept.
    state = {
        key: value + 1 if key.startswith('target_generator') else value
        for key, value in model.state_dict().items()
    }
    again = build(target_generator=teacher, head=dict(type='FeatureHead'))
    again.load_state_dict(state)
    again.loss(torch.randn(2, 3, 32, 32))
    assert_loaded(again.target_generator, {k: v + 1 for k, v in weights.items()})


def test_a_teacher_with_our_encoder_loads_a_pretraining_checkpoint(tmp_path):
    trained = student()
    weights = {'backbone.' + k: v for k, v in trained.state_dict().items()}
    torch.save(dict(state_dict=weights), tmp_path / 'a.pth')
    teacher = MODELS.build(
        pretrained(BACKBONES['plugin'], checkpoint=str(tmp_path / 'a.pth'))
    )
    teacher.attach(student())
    images = torch.randn(1, 3, 32, 32)
    assert torch.equal(teacher(images), trained.eval().encode(images).tokens[:, 2:])


@pytest.mark.parametrize(
    'own', [dict(pretrained=True), dict(checkpoint_path='weights.pth')]
)
def test_a_backbone_may_bring_its_own_weights(own, monkeypatch):
    create, asked = timm.create_model, {}

    def create_model(*args, pretrained, checkpoint_path, **kwargs):
        asked.update(pretrained=pretrained, checkpoint_path=checkpoint_path)
        return create(*args, **kwargs)

    monkeypatch.setattr(timm, 'create_model', create_model)
    teacher = PretrainedEncoder(dict(BACKBONES['timm'], **own))
    assert asked.items() >= own.items()
    before = copy.deepcopy(teacher.encoder.state_dict())
    teacher.init_weights()
    assert_loaded(teacher, before)


def test_a_teacher_without_weights_is_refused():
    for backbone in BACKBONES.values():
        with pytest.raises(UserError, match=r'checkpoint to a file, or .*random=True'):
            PretrainedEncoder(backbone)
    with pytest.raises(UserError, match='set one of the two'):
        PretrainedEncoder(BACKBONES['plugin'], checkpoint='a.pth', random=True)
    cfg = Config.fromfile(ROOT / 'configs/selfsup/feature-mae_vit-base-p16_in1k.py')
    with pytest.raises(UserError, match='the teacher MaskedViT has no weights'):
        MODELS.build(cfg.model.target_generator)


@pytest.mark.parametrize('name', BACKBONES)
@pytest.mark.parametrize('sides', [(4, 8), (8, 4)], ids=['larger', 'smaller'])
def test_a_teacher_with_another_grid_names_both(name, sides):
    teacher_patch, student_patch = sides
    backbone = dict(BACKBONES[name], patch_size=teacher_patch)
    grid, given = 32 // student_patch, (32 // teacher_patch) ** 2
    with pytest.raises(
        UserError,
        match=rf'gives .*\b{given} patch features.*{grid}x{grid} = {grid**2} patches',
    ):
        PretrainedEncoder(backbone, random=True).attach(
            student(patch_size=student_patch)
        )


def test_a_teacher_with_as_many_patches_in_another_grid_is_refused():
    class Wide(torch.nn.Module):
        def forward(self, images):
            return torch.zeros(len(images), 24, 4, 16)

    teacher = PretrainedEncoder(BACKBONES['plugin'], random=True)
    teacher.encoder = Wide()
    with pytest.raises(UserError, match=r'gives 4x16 = 64.*8x8 = 64 patches'):
        teacher.attach(student())


def test_a_teacher_that_pools_its_tokens_is_refused():
    backbone = dict(BACKBONES['plugin'], out_type='avg')
    with pytest.raises(UserError, match="shape .1, 24.: set out_type='featmap'"):
        PretrainedEncoder(backbone, random=True).attach(student())


@pytest.mark.parametrize(
    ('options', 'tokens'),
    [
        (dict(type='MaskedDeiT', arch=ARCH, patch_size=4, out_type='featmap'), 'map'),
        (dict(type='MaskedDeiT', arch=ARCH, patch_size=4, out_type='raw'), 'raw'),
    ],
)
def test_several_blocks_of_another_backbone(options, tokens):
    backbone = dict(options, img_size=32)
    teacher = PretrainedEncoder(backbone, random=True, blocks=[0, 1])
    teacher.attach(student())
    assert teacher.out_channels == 48
    images = torch.randn(2, 3, 32, 32)
    first = teacher.encoder.encode(images, blocks=[0]).blocks[0][:, 2:]
    last = teacher.encoder.encode(images).tokens[:, 2:]
    norm = torch.nn.functional.layer_norm
    expected = torch.cat([norm(x, (24,), eps=1e-6) for x in (first, last)], dim=-1)
    assert torch.allclose(teacher(images), expected, atol=1e-4)
