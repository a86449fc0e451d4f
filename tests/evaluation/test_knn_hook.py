"""KNNHook: logs accuracy and spread, and leaves the run as it is."""

import copy
import re

import pytest
import torch
from mmpretrain.registry import RUNNERS

from bootmae_plugin import UserError
from bootmae_plugin.evaluation import KNNHook
from tests.tiny import tiny_config

DIGITS = dict(type='InMemoryImages', source=dict(type='Digits', indices=64))


def test_the_hook_does_not_change_the_run(tmp_path):
    hook = dict(type='KNNHook', train=DIGITS, test=DIGITS, interval=2, k=5)
    states = []
    for name, hooks in (('without', []), ('with', [hook])):
        cfg = tiny_config(tmp_path / name, epochs=4, stages=2, custom_hooks=hooks)
        runner = RUNNERS.build(copy.deepcopy(cfg))
        runner.train()
        states.append(runner.model.state_dict())
    assert all(torch.equal(states[0][k], states[1][k]) for k in states[0])
    (log,) = tmp_path.glob('with/*/*.log')
    text = log.read_text()
    assert text.count('knn_top1') == text.count('feature_rank') == 2
    # of the teacher from stage 2 on
    assert text.count('teacher_std') == text.count('teacher_rank') == 1
    ranks = [float(rank) for rank in re.findall(r'_rank ([\d.]+)', text)]
    assert all(1 < rank < 24 for rank in ranks)


@pytest.mark.parametrize('weight', [0.0, [1.0] + [0.0] * 23])
def test_a_collapsed_teacher_is_reported(weight, tmp_path):
    """To a point: the bias of the norm; to a line: its first channel alone."""
    hook = dict(type='KNNHook', train=DIGITS, test=DIGITS, interval=1, k=5)
    cfg = tiny_config(tmp_path, epochs=2, stages=2, custom_hooks=[hook])
    runner = RUNNERS.build(cfg)
    start = runner.model.target_generator.start_stage

    def collapsed(student):
        start(student)
        with torch.no_grad():
            encoder = runner.model.target_generator.encoder
            encoder.norm.weight.copy_(torch.tensor(weight))
            encoder.norm.bias.fill_(float(weight == 0))

    runner.model.target_generator.start_stage = collapsed
    runner.train()
    (log,) = tmp_path.glob('*/*.log')
    assert 'the teacher has collapsed' in log.read_text()


def test_labels_and_an_interval_are_needed():
    unlabeled = dict(DIGITS, with_label=False)
    hook = KNNHook(unlabeled, DIGITS)
    with pytest.raises(UserError, match='set with_label=True'):
        hook.before_run(None)
    with pytest.raises(UserError, match='interval=0'):
        KNNHook(DIGITS, DIGITS, interval=0)
