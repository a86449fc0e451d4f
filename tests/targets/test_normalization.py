"""Running statistics of feature targets against those of the whole data set."""

import pytest
import torch

from bootmae_plugin.models import TargetGenerator
from bootmae_plugin.targets import PositionNorm
from tests.models.test_algorithm import build


def test_a_frozen_teacher_gets_the_statistics_of_the_whole_data_set():
    torch.manual_seed(0)
    norm = PositionNorm(4, 3).train()
    # The batches differ in mean, as those of a data set in order would.
    batches = [torch.randn(2, 4, 3) * 2 + torch.randn(4, 3) for _ in range(500)]
    for batch in batches:
        norm(batch)
    whole = torch.cat(batches)
    assert torch.allclose(norm.mean, whole.mean(0), atol=1e-5)
    var = (whole - whole.mean(0)).square().mean((0, 1))
    assert torch.allclose(norm.var, var, rtol=1e-4)
    expected = (batches[0] - whole.mean(0)) / (var + 1e-6).sqrt()
    assert torch.allclose(norm.eval()(batches[0]), expected, atol=1e-4)


def test_the_first_batch_is_normalized_by_its_own_statistics():
    batch = torch.randn(5, 4, 3) * 2 + 1
    out = PositionNorm(4, 3).train()(batch)
    assert torch.allclose(out.mean(0), torch.zeros(4, 3), atol=1e-5)
    assert torch.allclose(out.square().mean((0, 1)), torch.ones(3), atol=1e-4)


def test_eval_mode_does_not_change_the_statistics_and_reset_forgets_them():
    norm = PositionNorm(4, 3).train()
    norm(torch.randn(5, 4, 3))
    before = {key: value.clone() for key, value in norm.state_dict().items()}
    assert set(before) == {'mean', 'var', 'steps'}
    norm.eval()(torch.randn(5, 4, 3))
    assert all(torch.equal(norm.state_dict()[key], before[key]) for key in before)
    norm.reset()
    assert int(norm.steps) == 0
    assert torch.equal(norm.mean, torch.zeros(4, 3))
    assert torch.equal(norm.var, torch.ones(3))


def test_a_moving_teacher_is_followed_exponentially():
    norm = PositionNorm(1, 1, momentum=0.1).train()
    for _ in range(50):
        norm(torch.zeros(2, 1, 1))
    norm(torch.ones(2, 1, 1))
    assert float(norm.mean) == pytest.approx(0.1)
    # Nine tenths at distance .1 from the mean, one tenth at distance .9.
    assert float(norm.var) == pytest.approx(0.9 * 0.01 + 0.1 * 0.81)


@pytest.mark.parametrize('bad', [float('nan'), float('inf')])
def test_a_non_finite_batch_is_skipped(bad):
    norm, other = PositionNorm(4, 3).train(), PositionNorm(4, 3).train()
    for batch in (torch.randn(5, 4, 3), None, torch.randn(5, 4, 3)):
        if batch is None:
            norm(torch.full((5, 4, 3), bad))
        else:
            norm(batch)
            other(batch)
    for key, value in other.state_dict().items():
        assert torch.equal(norm.state_dict()[key], value), key


@pytest.mark.parametrize(
    ('teacher', 'momentum'), [('StageEncoder', 0.0), ('EMAEncoder', 0.01)]
)
def test_the_teacher_decides_how_its_statistics_are_averaged(teacher, momentum):
    model = build(target_generator=dict(type=teacher))
    assert model.head['feature'].position_norm.momentum == momentum


def test_a_teacher_of_ones_own_moves_if_it_has_an_update():
    class Still(TargetGenerator):
        pass

    class Moving(TargetGenerator):
        def update(self, student, epoch, max_epochs, batch_size):
            pass

    assert (Still().moves, Moving().moves) == (False, True)
