"""Linear layers: the config route's training, and scikit-learn's solution."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmpretrain.models.heads import LinearClsHead
from mmpretrain.registry import PARAM_SCHEDULERS

from bootmae_plugin import UserError
from bootmae_plugin.datasets.digits import load_digits_rgb
from bootmae_plugin.evaluation import FeatureSet, linear_probe
from bootmae_plugin.evaluation.linear_layers import solve_layers, train_layers
from bootmae_plugin.evaluation.linear_probe import mean_and_std, standardize
from tests.tiny import ROOT

LINEAR = ROOT / 'configs/benchmarks/linear/deit-tiny_digits.py'


def digits() -> FeatureSet:
    """Pixels of the bundled digits at 8x8, as features of 64 channels."""
    parts = []
    for split in ('train', 'test'):
        images, labels = load_digits_rgb(split)
        gray = torch.from_numpy(images[..., 0]).float()[:, None]
        parts += [F.avg_pool2d(gray, 4).flatten(1), torch.from_numpy(labels)]
    return FeatureSet(*parts)


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


def loss_of(layers, x, y, decay):
    """The loss that both routes minimize, written out."""
    weight, bias = layers.weight[0], layers.bias[0]
    return F.cross_entropy(x @ weight.T + bias, y) + decay / 2 * weight.square().sum()


@pytest.mark.parametrize('classes', [10, 2])
def test_sgd_comes_to_scikit_learns_solution(classes):
    """At a weight decay that gives one minimum; 600 epochs of SGD come close to it."""
    data = digits()
    few = [labels < classes for labels in (data.train_labels, data.test_labels)]
    x, y = data.train[few[0]], data.train_labels[few[0]]
    mean, std = mean_and_std(x)
    x, x_test = standardize(x, mean, std), (data.test[few[1]] - mean) / std
    decay = 1e-2
    solved = solve_layers(x, y, classes, [decay])
    trained = train_layers(x, y, classes, [(1.0, decay)], 600, seed=0, batch_size=256)
    least, reached = (loss_of(layers, x, y, decay) for layers in (solved, trained))
    assert float(reached) == pytest.approx(float(least), rel=0.01)
    ours, theirs = (layers(x_test)[0].softmax(dim=0) for layers in (trained, solved))
    assert (ours - theirs).abs().max() < 0.03
    y_test = data.test_labels[few[1]]
    (right,), (expected,) = (
        layers.accuracy(x_test, y_test) for layers in (trained, solved)
    )
    assert abs(right - expected) < 0.6  # 2 of the 360 images


def test_the_probe_and_scikit_learn_agree_on_the_digits():
    """Each with the settings that it chooses; 1 of the 360 images is 0.28 %."""
    data = digits()
    probe = linear_probe(data, epochs=60, seeds=[0])
    check = linear_probe(data, optimizer='lbfgs')
    assert abs(probe.mean - check.mean) < 2
    assert abs(probe.held_out - check.held_out) < 1.5
    assert check.mean > 94
    assert (check.rate, len(check.scores)) == (0, 1)


def test_a_class_without_images_is_never_predicted():
    x, y = torch.randn(40, 5), torch.arange(40) % 3
    layers = solve_layers(x, y + 1, 5, [1e-3, 1e-1])
    predicted = layers(x).argmax(dim=1)
    assert set(predicted.unique().tolist()) <= {1, 2, 3}
    rows = torch.arange(0, 40, 3)
    with pytest.raises(UserError, match='two classes or more'):
        solve_layers(x, y, 3, [1e-3], rows=rows)
