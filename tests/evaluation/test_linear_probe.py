"""The linear probe: the config route's training, and an untouched test set."""

import pytest
import torch
from torch import nn

from bootmae_plugin import UserError
from bootmae_plugin.evaluation import FeatureSet, linear_probe
from bootmae_plugin.evaluation.linear_probe import (
    LinearResult,
    choose_and_test,
    mean_and_std,
    standardize,
)
from tests.evaluation.test_knn import clusters


def test_accuracy_of_separable_and_of_random_features():
    train, test = clusters(), clusters(100)
    data = FeatureSet(*train, *test)
    result = linear_probe(data, epochs=10, rates=(0.01, 0.1), decays=(0.0,))
    assert result.mean > 90
    assert len(result.scores) == 3
    assert result.mean == pytest.approx(sum(result.scores) / 3, abs=1e-3)
    again = linear_probe(data, epochs=10, rates=(0.01, 0.1), decays=(0.0,))
    assert again == result  # deterministic
    assert result.fit > 90
    noise = FeatureSet(torch.randn(300, 8), train[1], torch.randn(100, 8), test[1])
    assert linear_probe(noise, epochs=5, seeds=[0]).mean < 50


def test_fit_is_the_accuracy_on_the_training_images():
    """Wide noise is learned by heart: nothing carries over to the test images."""
    labels = torch.arange(200) % 4
    data = FeatureSet(torch.randn(200, 400), labels, torch.randn(200, 400), labels)
    result = linear_probe(data, epochs=20, seeds=[0, 1], rates=[1.0], decays=[0.0])
    assert result.fit > 95
    assert result.mean < 45


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


def test_tokens_are_standardized_over_images_and_tokens():
    x = torch.randn(6, 5, 3) * 4 - 1
    rows = x.reshape(30, 3)
    expected = (rows - rows.mean(0)) / (rows.std(0, correction=0) + 1e-6)
    ours = standardize(x, *mean_and_std(x))
    assert torch.allclose(ours, expected.view(6, 5, 3), atol=1e-5)


@pytest.mark.parametrize(('number', 'tenths'), [(999, 10), (1000, 1)])
def test_few_images_are_all_held_out_in_turn(number, tenths):
    """A made-up trainer notes which images it saw."""
    seen = []

    class Right:
        def accuracy(self, x, y):
            return [100 * float((y == 0).float().mean())]

    def train(x, y, classes, settings, epochs, seed, rows):
        seen.append(set(rows.tolist()))
        return Right()

    x, y = torch.randn(number, 2), torch.arange(number) % 3
    data = FeatureSet(x, y, x[:9], y[:9])
    result = choose_and_test(data, [(0.1, 0.0)], train, epochs=1, seeds=[0])
    *searches, final = seen
    assert final == set(range(number)) and len(searches) == tenths
    held_out = [final - rows for rows in searches]
    assert all(len(rows) in (number // 10, number // 10 + 1) for rows in held_out)
    if tenths > 1:
        assert set.union(*held_out) == final
        assert sum(map(len, held_out)) == number
        assert result.held_out == pytest.approx(100 / 3, abs=0.01)
    assert result.mean == pytest.approx(100 / 3)


def test_probes_on_several_subsets_are_joined():
    parts = [
        LinearResult.of([50.0], 0.1, 0.0, 40.0, 60.0),
        LinearResult.of([54.0], 0.3, 1e-3, 44.0, 70.0),
        LinearResult.of([58.0], 0.3, 1e-3, 48.0, 80.0),
    ]
    joined = LinearResult.join(parts)
    assert joined.scores == [50.0, 54.0, 58.0]
    assert (joined.mean, joined.held_out, joined.fit) == (54.0, 44.0, 70.0)
    assert joined.std == pytest.approx((32 / 3) ** 0.5)
    assert (joined.rate, joined.decay) == (0.3, 1e-3)
