"""The teachers that are copies of the student: which features they give."""

import pytest
import torch

from bootmae_plugin import UserError
from bootmae_plugin.targets import StageEncoder
from tests.models.test_algorithm import build
from tests.tiny import student


def test_features_before_the_final_norm():
    encoder, teacher = student().eval(), StageEncoder(final_norm=False)
    teacher.attach(encoder)
    images = torch.randn(2, 3, 32, 32)
    x = encoder.embed(images)
    for block in encoder.blocks:
        x = block(x)
    assert torch.allclose(teacher(images), x[:, 2:], atol=1e-6)


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


def test_bad_blocks_are_refused():
    for blocks, words in ([2], r'blocks=\[2\]: the encoder has no block'), ([], 'no b'):
        with pytest.raises(UserError, match=words):
            build(target_generator=dict(type='StageEncoder', blocks=blocks))
    with pytest.raises(UserError, match="blocks_merge='sum'"):
        build(target_generator=dict(type='StageEncoder', blocks_merge='sum'))
