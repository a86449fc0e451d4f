"""tools/benchmark.py and tools/cost.py: what they count and write down."""

import json
import re
import runpy
import sys

import pytest
import torch

from bootmae_plugin.cli import common
from tests.tiny import ROOT


def run_tool(name, *args):
    if name == 'cost.py':
        return common.run_in_process(name, *args)
    argv, sys.argv = sys.argv, [name, *map(str, args)]
    try:
        return runpy.run_path(str(ROOT / 'tools' / name), run_name='__main__')
    finally:
        sys.argv = argv


def test_interleaved_rounds_and_ratios():
    from dev.benchmark.timing import interleave, ratio

    calls = []
    work = {
        name: lambda name=name: calls.append(name) or float(len(calls)) for name in 'ab'
    }
    times = interleave(work, rounds=3)
    assert calls == ['a', 'b'] * 4  # the first to warm up
    assert times == dict(a=[3.0, 5.0, 7.0], b=[4.0, 6.0, 8.0])
    assert ratio(dict(a=[2.0, 4.0, 9.0], b=[1.0, 4.0, 3.0]), 'a', 'b') == 2.0


def test_the_benchmark_writes_what_it_measured(tmp_path, capsys):
    out, threads = tmp_path / 'out.json', torch.get_num_threads()
    words = '--shape deit-tiny-d48 --batch 4 --rounds 1 --no-compile --threads 1'
    try:
        run_tool('benchmark.py', 'steps', 'data', *words.split(), '--out', out)
    finally:
        torch.set_num_threads(threads)
    result = json.loads(out.read_text())
    steps = {row['step']: row for row in result['steps']['rows']}
    assert {'ours fp32', 'ours bf16', 'mmpretrain fp32'} <= set(steps)
    assert steps['mmpretrain fp32']['x mmpretrain fp32'] == 1
    assert steps['ours bf16']['images/s'] > 0
    assert [row['step'] for row in result['data']['rows']] == ['ours', 'mmpretrain']
    assert 'ours bf16' in capsys.readouterr().out


def test_a_contestant_has_a_process_of_its_own():
    from dev.benchmark.timing import Remote

    remote = Remote('os', 'getpid')
    with pytest.raises(TypeError):  # what goes wrong there is raised here
        remote()
    remote.close()
    setup = dict(name='ours')
    contestant = Remote(
        'dev.benchmark.peers', 'Contestant', 'deit-tiny-d48', 'cpu', 1, setup
    )
    contestant(2)
    small, large = (contestant(size, 1, 'memory') for size in (2, 128))
    shares = contestant(2, 1, 'kernels')
    contestant.close()
    assert sum(shares.values()) == pytest.approx(1)
    assert shares['matrix products'] > 0.1
    assert 20 < large - small < 2000  # MiB that the activations take


def forward_flops(tokens, width, queries=None, context=None):
    """Of a transformer block whose last tokens alone are wanted, by hand."""
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


def test_bad_input_is_one_line(tmp_path):
    linear = ROOT / 'configs/benchmarks/linear/deit-tiny_digits.py'
    for words, text in (
        (['benchmark.py', 'speed'], "unknown section 'speed'"),
        (['benchmark.py', '--shape', 'vit'], "unknown shape 'vit'"),
        (['cost.py', linear], 'is no pretraining config'),
    ):
        with pytest.raises(SystemExit) as stop:
            run_tool(*words)
        assert text in stop.value.code and '\n' not in stop.value.code
