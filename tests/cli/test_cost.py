"""tools/cost.py: FLOPs against a count by hand."""

import re

import pytest

from tests.tiny import ROOT, run_tool


def forward_flops(tokens, width, queries=None):
    """FLOPs of a transformer block that computes its last ``queries`` tokens alone."""
    queries = queries or tokens
    linear = 2 * width**2 * (10 * queries + 2 * tokens)
    return linear + 4 * queries * tokens * width


def test_the_cost_is_the_sum_of_its_layers(capsys):
    config = ROOT / 'configs/selfsup/bootmae_deit-tiny_cifar10.py'
    run_tool('cost.py', config, '--gpus', '1', '--tflops', '1', '--images', '3600')
    counted = float(re.search(r'│\s+1 │\s+([\d.]+) │', capsys.readouterr().out)[1])
    d, visible, all_tokens, masked = 192, 18, 66, 48
    decoder = forward_flops(all_tokens, d) + forward_flops(all_tokens, d, masked)
    decoder += 2 * visible * d * d
    encoder = 12 * forward_flops(visible, d) + 2 * 16 * 48 * d
    pixels = encoder + decoder + 2 * masked * d * 48
    assert counted == pytest.approx(3 * pixels / 1e9, rel=0.02)


def test_stages_that_cost_the_same_are_one_row(capsys):
    config = ROOT / 'configs/selfsup/bootmae-views_deit-tiny-d48_cifar10.py'
    options = [
        'model.masking.mask_ratio=[0.75,0.75,0.75,0.25]',
        'model.head.pixel.last_stage=None',
        'train_cfg.max_epochs=8',
    ]
    run_tool('cost.py', config, '--gpus', '1', '--cfg-options', *options)
    rows = re.findall(r'│ +(\d[ to\d]*) │ +([\d.]+) │', capsys.readouterr().out)
    assert [name for name, _ in rows] == ['1', '2 to 3', '4']
    pixels, views, large_views = (float(flops) for _, flops in rows)
    assert pixels < views < large_views


def test_a_config_without_pretraining_is_one_line():
    linear = ROOT / 'configs/benchmarks/linear/deit-tiny_digits.py'
    with pytest.raises(SystemExit) as stop:
        run_tool('cost.py', linear)
    assert 'is no pretraining config' in stop.value.code
    assert '\n' not in stop.value.code
