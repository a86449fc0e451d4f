"""tools/benchmark.py: turns, limits, progress, and what it writes down."""

import json
import runpy
import sys

import pytest
import torch

from bootmae_plugin.preparation.shards import prepare_shards
from dev.benchmark import contestant, disk_routes, steps
from dev.benchmark.progress import Progress
from dev.benchmark.remote import Remote
from dev.benchmark.timing import interleave, speedup
from tests.tiny import ROOT


def run_benchmark(*words):
    argv, sys.argv = sys.argv, ['benchmark.py', *map(str, words)]
    sys.path.insert(0, str(ROOT / 'tools'))
    threads = torch.get_num_threads()
    try:
        runpy.run_path(str(ROOT / 'tools/benchmark.py'), run_name='__main__')
    finally:
        torch.set_num_threads(threads)
        sys.argv = argv
        sys.path.remove(str(ROOT / 'tools'))


def test_interleaved_rounds_and_speedups():
    calls = []
    work = {
        name: lambda name=name: calls.append(name) or float(len(calls)) for name in 'ab'
    }
    times = interleave(work, rounds=3)
    assert calls == ['a', 'b'] * 4  # the first to warm up
    assert times == dict(a=[3.0, 5.0, 7.0], b=[4.0, 6.0, 8.0])
    assert speedup(dict(a=[2.0, 4.0, 9.0], b=[1.0, 4.0, 3.0]), 'a', 'b') == 2.0


def test_a_share_above_the_limit_is_called_an_error():
    rates = {'ours fp32': 50.0, 'ours bf16': 100.0, 'mmpretrain bf16': 40.0}
    limits = dict(fp32=1000.0, bf16=2000.0)
    shares, warning = steps.shares_of_limit(rates, per_image=10.0, limits=limits)
    assert shares == {'ours fp32': 50, 'ours bf16': 50, 'mmpretrain bf16': 20}
    assert warning == ''
    limits['bf16'] = 380.0  # 263 % of a limit that another program disturbed
    shares, warning = steps.shares_of_limit(rates, per_image=10.0, limits=limits)
    assert shares['ours bf16'] == 263
    assert 'ERROR' in warning and 'ours bf16, mmpretrain bf16 above 100 %' in warning


def test_the_limit_is_of_the_fastest_size(monkeypatch):
    monkeypatch.setattr(contestant.MatrixProduct, 'SIZES', dict(cpu=(8, 64, 256)))
    # Made-up seconds: 64 does most FLOPs a second, as where bfloat16 is emulated.
    seconds = {8: 1e-3, 64: 1e-2, 256: 10.0}
    monkeypatch.setattr(
        contestant,
        'measure_seconds',
        lambda product, device: seconds[len(product.args[0])],
    )
    product = contestant.MatrixProduct('float32', 'cpu', torch.get_num_threads())
    assert product.size == 64
    assert product() == pytest.approx(1e-2 * 1e9 / (2 * 64**3))


def test_progress_is_one_line_a_step_without_a_terminal(capsys):
    with Progress('steps', terminal=False) as progress:
        interleave(dict(a=lambda: 1.0), 1, progress)
    printed = capsys.readouterr()
    assert printed.err.splitlines() == ['steps: warming up', 'steps: round 1 of 1']
    assert printed.out == ''


def test_the_benchmark_writes_what_it_measured(tmp_path, capsys):
    out = tmp_path / 'out.json'
    words = '--shape deit-tiny-d48 --batch 4 --rounds 1 --no-compile --threads 1'
    run_benchmark('steps', 'data', *words.split(), '--out', out)
    result = json.loads(out.read_text())
    rows = {row['step']: row for row in result['steps']['rows']}
    assert {'ours fp32', 'mmpretrain fp32'} <= set(rows)
    assert rows['mmpretrain fp32']['x mmpretrain fp32'] == 1
    assert rows['ours fp32']['images/s'] > 0
    # The limits are measured in the same turns as the steps.
    times = result['steps']['times']
    assert len(times['matrix product fp32']) == len(times['ours fp32']) == 1
    assert [row['step'] for row in result['data']['rows']] == ['ours', 'mmpretrain']
    printed = capsys.readouterr()
    assert 'ours fp32' in printed.out
    said = printed.err.splitlines()
    assert 'steps: round 1 of 1' in said and 'data: round 1 of 1' in said
    assert all(line.startswith(('steps: ', 'data: ')) for line in said), said


def test_emulated_bfloat16_is_left_out(monkeypatch):
    args = type('Args', (), dict(device='cpu', no_compile=False))
    monkeypatch.setattr(steps, 'has_bf16', lambda device: False)
    chosen = steps.contestants(args)
    assert {'ours fp32', 'ours fp32 compiled', 'mmpretrain fp32'} <= set(chosen)
    assert not any('bf16' in name for name in chosen)
    assert chosen['ours fp32 compiled'] == dict(name='ours', bf16=False, compile=True)


def test_a_contestant_has_a_process_of_its_own():
    remote = Remote('os', 'getpid')
    with pytest.raises(TypeError):  # an error there is raised here
        remote()
    remote.close()
    setup = dict(name='ours')
    step = Remote(
        'dev.benchmark.contestant', 'TrainingStep', 'deit-tiny-d48', 'cpu', 1, setup
    )
    step(2)
    small, large = (step(size, 1, 'memory') for size in (2, 128))
    shares = step(2, 1, 'kernels')
    step.close()
    assert sum(shares.values()) == pytest.approx(1)
    assert shares['matrix products'] > 0.1
    assert 20 < large - small < 2000  # MiB that the activations take


def test_bad_input_is_one_line():
    for words, text in (
        (['speed'], "unknown section 'speed'"),
        (['--shape', 'vit'], "unknown shape 'vit'"),
    ):
        with pytest.raises(SystemExit) as stop:
            run_benchmark(*words)
        assert text in stop.value.code and '\n' not in stop.value.code


def test_an_epoch_of_the_folder_and_of_the_shards_has_every_image(tmp_path):
    assert disk_routes.write_photos(tmp_path / 'photos', 128) > 1000  # bytes
    prepare_shards(tmp_path / 'shards', tmp_path / 'photos', shard_mb=1)
    roots = dict(folder=tmp_path / 'photos', shards=tmp_path / 'shards/train')
    assert len(list(roots['shards'].glob('*.tar'))) > 1
    for name, config in disk_routes.CONFIGS.items():
        assert disk_routes.route(config, roots[name])() == 128
