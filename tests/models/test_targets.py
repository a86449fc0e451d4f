"""Teachers: decay schedules, the moving average, loading other backbones, grids."""

import copy

import pytest
import timm
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmpretrain.registry import MODELS

from bootmae_plugin import UserError
from bootmae_plugin.models import EMAEncoder, MaskedDeiT, PretrainedEncoder
from tests.models.test_algorithm import build
from tests.tiny import ROOT, tiny_config

ARCH = dict(embed_dims=24, num_layers=2, num_heads=2)
BASE = [(0, 0.999), (100, 0.9999), (400, 0.99999)]  # BootMAE, ViT-B


def student(**kwargs):
    return MaskedDeiT(**{**dict(arch=ARCH, img_size=32, patch_size=4), **kwargs})


@pytest.mark.parametrize(
    ('epoch', 'decay'),
    [
        (0, 0.999),
        (50, 0.99945),
        (100, 0.9999),
        (250, 0.9999 + 150 / 300 * 0.00009),
        (400, 0.99999),
        (500, 0.99999),
    ],
)
def test_decay_of_bootmae_base(epoch, decay):
    assert EMAEncoder(BASE).decay_at(epoch, 800) == pytest.approx(decay, abs=1e-12)


def test_constant_and_cosine_decay():
    assert EMAEncoder(0.99).decay_at(123, 800) == 0.99
    cosine = EMAEncoder(dict(start=0.99, end=1.0))
    values = [cosine.decay_at(e, 100) for e in (0, 50, 100)]
    assert values == pytest.approx([0.99, 0.995, 1.0])


@pytest.mark.parametrize(
    ('epoch', 'weight'), [(0, 0.0), (80, 0.4), (200, 1.0), (400, 1.0)]
)
def test_the_feature_loss_warms_up_over_a_quarter_of_the_epochs(epoch, weight):
    head = dict(type='FeatureHead', loss_warmup=0.25)
    model = build(head=dict(feature=head))
    model.start_epoch(epoch, 800)
    assert model.head['feature'].branch_weight == pytest.approx(weight)
    images = torch.randn(2, 3, 32, 32)
    torch.manual_seed(0)
    loss = model.loss(images)['loss_feature']
    model.start_epoch(800, 800)
    torch.manual_seed(0)
    whole = model.loss(images)['loss_feature']
    assert float(loss) == pytest.approx(weight * float(whole), rel=1e-5)


@pytest.mark.parametrize(
    ('base', 'decay'), [(None, 0.9), (64, 0.9), (32, 0.9**2), (256, 0.9**0.25)]
)
def test_the_moving_average_by_hand(base, decay):
    encoder, teacher = student(), EMAEncoder(0.9, base_batch_size=base)
    teacher.attach(encoder)
    expected = copy.deepcopy(encoder.state_dict())
    for _ in range(3):
        with torch.no_grad():
            for parameter in encoder.parameters():
                parameter.add_(torch.randn_like(parameter))
        teacher.update(encoder, epoch=0, max_epochs=1, batch_size=64)
        for key, value in encoder.state_dict().items():
            expected[key] = decay * expected[key] + (1 - decay) * value
    for key, value in teacher.encoder.state_dict().items():
        assert torch.allclose(value, expected[key], atol=1e-5), key
    assert not any(p.requires_grad for p in teacher.parameters())


def test_the_average_moves_only_while_it_is_the_target():
    model = build(target_generator=dict(type='EMAEncoder', decay=0.5))
    start = model.target_generator.encoder.cls_token.clone()
    with torch.no_grad():
        model.backbone.cls_token.add_(1)
    model.after_step(0, 1, 2)  # stage 1 predicts pixels
    assert torch.equal(model.target_generator.encoder.cls_token, start)
    model.start_stage(2)
    assert torch.equal(model.target_generator.encoder.cls_token, start + 1)
    with torch.no_grad():
        model.backbone.cls_token.add_(1)
    model.after_step(0, 1, 2)
    expected = start + 1.5
    assert torch.allclose(model.target_generator.encoder.cls_token, expected)


def test_features_before_the_final_norm():
    encoder, teacher = student().eval(), EMAEncoder(final_norm=False)
    teacher.attach(encoder)
    images = torch.randn(2, 3, 32, 32)
    x = encoder.embed(images)
    for block in encoder.blocks:
        x = block(x)
    assert torch.allclose(teacher(images), x[:, 2:], atol=1e-6)


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


def test_an_injected_block_out_of_range_is_refused():
    with pytest.raises(UserError, match='inject=2.*blocks 0 to 1'):
        build(neck=dict(type='CrossAttentionDecoder', embed_dims=24, inject=2))


@pytest.mark.parametrize(
    ('decay', 'words'),
    [
        (1.5, 'decay=.*between 0 and 1'),
        ([(0, 0.9), (10, -0.1)], 'between 0 and 1'),
        ([(10, 0.9), (0, 0.99)], 'must increase'),
        (dict(start=0.9), 'start and end'),
    ],
)
def test_a_bad_decay_is_refused(decay, words):
    with pytest.raises(UserError, match=words):
        EMAEncoder(decay)


@pytest.mark.parametrize('batch_size', [0, 6.4, '64'])
def test_a_bad_base_batch_size_is_refused(batch_size):
    with pytest.raises(UserError, match='base_batch_size=.*whole number from 1'):
        EMAEncoder(base_batch_size=batch_size)


@pytest.mark.parametrize('teacher', ['StageEncoder', 'EMAEncoder'])
@pytest.mark.parametrize('merge', ['concat', 'mean'])
@pytest.mark.parametrize('blocks', [[0, -1], [1, 0], [0]])
def test_several_blocks_are_the_target(teacher, merge, blocks):
    cfg = dict(type=teacher, blocks=blocks, blocks_merge=merge)
    model = build(target_generator=cfg).train()
    images, encoder = torch.randn(2, 3, 32, 32), model.target_generator.encoder
    x, outputs = encoder.embed(images), []
    for block in encoder.blocks:
        x = block(x)
        outputs.append(x[:, 2:])  # the patches
    if merge == 'concat':  # each over the channels of a token
        parts = [torch.nn.functional.layer_norm(x, (48,), eps=1e-6) for x in outputs]
        expected = torch.cat([parts[i] for i in blocks], dim=-1)
    else:  # each channel over the tokens of an image
        parts = [torch.nn.functional.instance_norm(x.mT, eps=1e-6).mT for x in outputs]
        expected = torch.stack([parts[i] for i in blocks]).mean(dim=0)
    assert torch.allclose(model.target_generator(images), expected, atol=1e-4)
    assert model.target_generator.out_channels == expected.shape[-1]
    assert model.head['feature'].pred.out_features == expected.shape[-1]
    model.start_stage(2)
    model.loss(images)['loss_feature'].backward()
    assert model.backbone.cls_token.grad.isfinite().all()
    assert all(p.grad is None for p in model.target_generator.parameters())


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


def test_bad_blocks_are_refused():
    for blocks, words in ([2], r'blocks=\[2\]: the encoder has no block'), ([], 'no b'):
        with pytest.raises(UserError, match=words):
            build(target_generator=dict(type='StageEncoder', blocks=blocks))
    with pytest.raises(UserError, match="blocks_merge='sum'"):
        build(target_generator=dict(type='StageEncoder', blocks_merge='sum'))
