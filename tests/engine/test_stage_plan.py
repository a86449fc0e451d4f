"""The epochs at which stages start: in a new run and after a change of the plan."""

import pytest

from bootmae_plugin import UserError
from bootmae_plugin.engine.stage_plan import (
    keep_started_stages,
    plan_stages,
    shown_epochs,
)


@pytest.mark.parametrize(
    ('stages', 'epochs', 'starts'),
    [
        (1, 5, [0]),
        (4, 200, [0, 50, 100, 150]),
        (3, 8, [0, 3, 6]),
        (5, 5, [0, 1, 2, 3, 4]),
    ],
)
def test_stages_divide_the_epochs(stages, epochs, starts):
    assert plan_stages(stages, None, epochs) == starts


@pytest.mark.parametrize(
    ('stages', 'boundaries', 'words'),
    [
        (5, None, 'num_stages=5.*epochs .4.'),
        (0, None, 'num_stages=0'),
        (None, [2, 2], 'must increase'),
        (None, [3, 2], 'must increase'),
        (None, [4], 'must increase'),
        (None, [0], 'must increase'),
    ],
)
def test_stages_that_do_not_fit_are_refused(stages, boundaries, words):
    with pytest.raises(UserError, match=words):
        plan_stages(stages, boundaries, 4)


K4 = [0, 50, 100, 150]  # four stages in 200 epochs


@pytest.mark.parametrize(
    ('num_stages', 'epoch', 'max_epochs', 'expected'),
    [
        (4, 120, 400, [0, 50, 100, 150]),  # stage 3 goes on, stage 4 is longer
        (4, 30, 400, [0, 50, 167, 284]),  # three stages divide epochs 50 to 400
        (4, 50, 400, [0, 50, 100, 250]),  # stage 2 starts now, as planned
        (8, 120, 400, [0, 50, 100, 150, 200, 250, 300, 350]),
        (8, 120, 200, [0, 50, 100, 150, 160, 170, 180, 190]),
        (2, 120, 200, [0, 50, 100]),  # what has started cannot be undone
        (4, 120, 160, [0, 50, 100, 150]),
        (4, 120, 150, [0, 50, 100, 135]),  # stage 3 has to end earlier
        (4, 180, 190, [0, 50, 100, 150]),
        (8, 200, 400, [0, 50, 100, 150, 200, 250, 300, 350]),  # after the run's end
    ],
)
def test_started_stages_keep_their_epochs(num_stages, epoch, max_epochs, expected):
    assert keep_started_stages(num_stages, K4, 200, epoch, max_epochs) == expected


def test_fewer_epochs_than_stages_are_refused():
    with pytest.raises(UserError, match='3 epochs are left after epoch 120.*4 more'):
        keep_started_stages(7, K4, 200, 120, 123)
    assert keep_started_stages(5, K4, 200, 120, 123)[3:] == [121, 122]


def test_few_epochs_are_shown():
    assert shown_epochs([]) == 'none'
    assert shown_epochs([0, 49]) == '1, 50'
    assert shown_epochs([0, 1, 2, 3]) == '1, 2, 3, ...'
