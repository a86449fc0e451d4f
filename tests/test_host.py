"""Logged values: of the current step on a CPU, of the previous step on a GPU."""

import pytest
import torch

from bootmae_plugin.host import LateLog


def test_a_cpu_logs_the_current_step():
    log = LateLog()
    for step in (1.0, 2.0):
        values = dict(loss=torch.tensor(step), explained=torch.tensor([step / 2]))
        assert {k: float(v) for k, v in log(values).items()} == dict(
            loss=step, explained=step / 2
        )


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_a_gpu_logs_the_previous_step():
    log, seen = LateLog(), []
    for step in (1.0, 2.0, 3.0):
        values = dict(loss=torch.tensor(step, device='cuda'))
        seen.append(float(log(values)['loss']))
    assert seen == [1.0, 1.0, 2.0]
    # A branch has started: values with other names are not exchanged.
    assert float(log(dict(other=torch.tensor(7.0, device='cuda')))['other']) == 7.0


def test_the_algorithm_logs_its_losses():
    from tests.models.test_algorithm import build

    model = build().train()
    losses = dict(loss_pixel=torch.tensor(2.0, requires_grad=True))
    loss, values = model.parse_losses(losses)
    assert loss.requires_grad and not values['loss'].requires_grad
    assert float(values['loss']) == float(values['loss_pixel']) == 2.0
