"""The linear probe: the config route's training, and an untouched test set."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmpretrain.models.heads import LinearClsHead
from mmpretrain.registry import PARAM_SCHEDULERS
from torch import nn

from bootmae_plugin import UserError
from bootmae_plugin.evaluation import FeatureSet, linear_probe
from bootmae_plugin.evaluation.linear_probe import (
    mean_and_std,
    standardize,
    train_layers,
)
from tests.evaluation.test_knn import clusters
from tests.tiny import ROOT

LINEAR = ROOT / 'configs/benchmarks/linear/deit-tiny_digits.py'


def test_accuracy_of_separable_and_of_random_features():
    train, test = clusters(), clusters(100)
    data = FeatureSet(*train, *test)
    result = linear_probe(data, epochs=10, rates=(0.01, 0.1), decays=(0.0,))
    assert result.mean > 90
    assert len(result.scores) == 3
    assert result.mean == pytest.approx(sum(result.scores) / 3, abs=1e-3)
    again = linear_probe(data, epochs=10, rates=(0.01, 0.1), decays=(0.0,))
    assert again == result  # deterministic
    noise = FeatureSet(torch.randn(300, 8), train[1], torch.randn(100, 8), test[1])
    assert linear_probe(noise, epochs=5, seeds=[0]).mean < 50


def test_the_learning_rate_is_chosen_without_the_test_images():
    train, test = clusters(), clusters(100)
    options = dict(epochs=5, seeds=[0], rates=(1e-5, 0.1), decays=(0.0,))
    right = linear_probe(FeatureSet(*train, *test), **options)
    wrong_labels = FeatureSet(*train, test[0], test[1].roll(1))
    wrong = linear_probe(wrong_labels, **options)
    assert (right.rate, right.held_out) == (wrong.rate, wrong.held_out)
    assert right.rate == 0.1
    assert wrong.mean < 50 < right.mean


def test_copies_of_an_image_stay_on_one_side_of_the_split():
    """Features that tell images apart but not classes: a leak would raise the score."""
    train = torch.randn(200, 400)
    labels = torch.randint(0, 4, (200,))
    data = FeatureSet(
        train.repeat(2, 1), labels.repeat(2), torch.randn(50, 400), labels[:50]
    )
    result = linear_probe(data, epochs=20, seeds=[0], copies=2)
    assert result.held_out < 45
    leaked = linear_probe(data, epochs=20, seeds=[0], copies=1)
    assert leaked.held_out > 60


def test_bad_input():
    train, labels = torch.randn(20, 4), torch.arange(20) % 2
    with pytest.raises(UserError, match='numbers must be equal'):
        linear_probe(FeatureSet(train, labels[:3], train, labels))
    with pytest.raises(UserError, match="unknown optimizer='adam'"):
        linear_probe(FeatureSet(train, labels, train, labels), optimizer='adam')


@pytest.mark.parametrize('optimizer', ['SGD', 'LARS'])
def test_the_training_is_the_config_routes(optimizer):
    """Head, optimizer and schedule as the configs build them, on the same batches."""
    x, y = torch.randn(70, 12), torch.randint(0, 3, (70,))
    rate, decay, epochs, batch = 0.8, 0.01, 4, 16
    cfg = Config.fromfile(LINEAR)
    cfg.optim_wrapper.optimizer.update(
        type=optimizer, lr=rate * batch / 512, weight_decay=decay
    )
    settings = [(0.1, 0.0), (rate, decay)]
    ours = train_layers(x, y, 3, settings, epochs, 5, optimizer.lower(), batch)
    generator = torch.Generator().manual_seed(5)
    head = LinearClsHead(3, 12)
    with torch.no_grad():
        head.fc.weight.copy_(0.01 * torch.randn(3, 12, generator=generator))
        head.fc.bias.zero_()
    wrapper = build_optim_wrapper(head, cfg.optim_wrapper)
    scheduler = PARAM_SCHEDULERS.build(
        dict(cfg.param_scheduler, end=epochs),
        default_args=dict(optimizer=wrapper, epoch_length=70 // batch),
    )
    for _ in range(epochs):
        order = torch.randperm(70, generator=generator)
        for ids in order.split(batch)[: 70 // batch]:
            wrapper.update_params(F.cross_entropy(head.fc(x[ids]), y[ids]))
            scheduler.step()
    assert torch.allclose(ours.weight[1], head.fc.weight, atol=1e-6)
    assert torch.allclose(ours.bias[1], head.fc.bias, atol=1e-6)
    assert not torch.allclose(ours.bias[0], head.fc.bias, atol=1e-6)


@pytest.mark.parametrize('native', [True, False])
def test_features_are_standardized_as_by_batch_norm(native, monkeypatch):
    """Wide ones are rounded to bfloat16 (8 bits) where the CPU multiplies it."""
    monkeypatch.setattr(
        torch.cpu, 'get_capabilities', lambda: {'avx512_bf16': native}, raising=False
    )
    x = torch.randn(50, 1500) * 3 + 2
    wide = standardize(x, *mean_and_std(x))
    assert wide.dtype == (torch.bfloat16 if native else torch.float32)
    bn = nn.BatchNorm1d(1500, affine=False).train()
    assert torch.allclose(wide.float(), bn(x), atol=0.02 if native else 1e-4)
    narrow = x[:, :20]
    exact = nn.BatchNorm1d(20, affine=False, eps=1e-6).train()(narrow)
    assert torch.allclose(standardize(narrow, *mean_and_std(narrow)), exact, atol=1e-4)
