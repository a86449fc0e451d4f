"""Spread and effective rank of features."""

import math

import pytest
import torch

from bootmae_plugin.evaluation import effective_rank, feature_std


def test_feature_std_is_one_for_noise_and_zero_for_a_constant():
    assert feature_std(torch.randn(2000, 64)) == pytest.approx(1, abs=0.05)
    assert feature_std(torch.ones(10, 8)) == pytest.approx(0, abs=1e-6)


def test_the_effective_rank_is_that_of_its_definition():
    """Roy and Vetterli 2007, definition 1, on a matrix with known singular values."""
    values = torch.tensor([5.0, 2.0, 1.0, 0.5])
    left, _ = torch.linalg.qr(torch.randn(30, 4))
    right, _ = torch.linalg.qr(torch.randn(6, 4))
    shares = [v / 8.5 for v in values.tolist()]
    expected = math.exp(-sum(p * math.log(p) for p in shares))
    ours = effective_rank(left @ values.diag() @ right.T)
    assert ours == pytest.approx(expected, rel=1e-4)


def test_the_effective_rank_of_simple_features():
    assert effective_rank(torch.eye(7)) == pytest.approx(7)
    line = torch.randn(50, 1) * torch.ones(1, 8)
    assert effective_rank(line) == pytest.approx(1, abs=1e-3)
    assert effective_rank(torch.zeros(5, 3)) == 1
    assert math.isnan(effective_rank(torch.ones(2, 4097)))


def test_the_images_are_drawn_from_the_whole_set():
    """Sorted by class, the first images would have half of the rank."""
    features = torch.eye(4).repeat_interleave(10_000, dim=0)
    assert effective_rank(features) == pytest.approx(4, rel=1e-3)
