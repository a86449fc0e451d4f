"""KNNHook: logs accuracy and spread, and leaves the run as it is."""

import copy

import pytest
import torch
from mmpretrain.registry import RUNNERS

from bootmae_plugin import UserError
from bootmae_plugin.evaluation import KNNHook
from bootmae_plugin.evaluation.knn_hook import feature_std
from tests.tiny import tiny_config

DIGITS = dict(type='InMemoryImages', source=dict(type='Digits', indices=64))


def test_feature_std_is_one_for_noise_and_zero_for_a_constant():
    assert feature_std(torch.randn(2000, 64)) == pytest.approx(1, abs=0.05)
    assert feature_std(torch.ones(10, 8)) == pytest.approx(0, abs=1e-6)


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
    assert text.count('knn_top1') == 2
    assert text.count('teacher_std') == 1  # from stage 2 on


def test_a_collapsed_teacher_is_reported(tmp_path):
    hook = dict(type='KNNHook', train=DIGITS, test=DIGITS, interval=1, k=5)
    cfg = tiny_config(tmp_path, epochs=2, stages=2, custom_hooks=[hook])
    runner = RUNNERS.build(cfg)
    start = runner.model.target_generator.start_stage

    def collapsed(student):
        start(student)
        with torch.no_grad():
            encoder = runner.model.target_generator.encoder
            encoder.norm.weight.zero_()
            encoder.norm.bias.fill_(1)

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
