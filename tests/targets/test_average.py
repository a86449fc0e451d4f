"""The moving average: its decay, by hand, and when it moves."""

import copy

import pytest
import torch

from bootmae_plugin import UserError
from bootmae_plugin.targets import EMAEncoder
from tests.models.test_algorithm import build
from tests.tiny import student

BASE = [(0, 0.999), (100, 0.9999), (400, 0.99999)]  # BootMAE, ViT-B


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
