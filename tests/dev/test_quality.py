"""The section quality of tools/benchmark.py: equal terms, time to equal quality."""

import json
from pathlib import Path

import mmpretrain
import pytest
from mmengine.config import Config

from bootmae_plugin.configuration.configs import load_config
from dev.benchmark import quality
from dev.benchmark.peers import SHAPES
from tests.dev.test_benchmark import run_benchmark
from tests.tiny import ROOT

SHIPPED = 'mae/mae_vit-base-p16_8xb512-amp-coslr-300e_in1k.py'
TINY = f"""
_base_ = {str(ROOT / 'configs/selfsup/bootmae_deit-tiny_digits.py')!r}
model = dict(
    backbone=dict(arch=dict(embed_dims=24, num_layers=2, num_heads=2)),
    neck=dict(embed_dims=24, depth=1, num_heads=2),
)
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / 'tiny.py'
    path.write_text(TINY)
    return path


def test_the_peer_trains_as_it_ships():
    """Optimizer, schedule and augmentation of mmpretrain's own config."""
    folder = Path(mmpretrain.__file__).parent / '.mim/configs'
    shipped = Config.fromfile(folder / SHIPPED)
    cfg = load_config('bootmae-views_deit-tiny-d48_cifar10')
    shape = quality.shape_of(cfg)
    assert shape == SHAPES['deit-tiny-d48']
    run = Config(quality.peer_run(cfg, shape, 300, 512 * 10, quality.RATE, bf16=False))
    loader = shipped.train_dataloader
    assert run.train_dataloader.batch_size == loader.batch_size
    ours, theirs = run.optim_wrapper, shipped.optim_wrapper
    assert ours.optimizer.lr * 8 == pytest.approx(theirs.optimizer.lr)  # 8 processes
    for key in ('type', 'betas', 'weight_decay'):
        assert ours.optimizer[key] == theirs.optimizer[key]
    assert ours.paramwise_cfg == theirs.paramwise_cfg
    warmup, cosine = shipped.param_scheduler  # in epochs, of 10 steps here
    assert run.param_scheduler[0].end == 10 * warmup.end
    assert run.param_scheduler[0].start_factor == warmup.start_factor
    assert run.param_scheduler[1].end == 10 * cosine.end
    assert run.param_scheduler[1].T_max == 10 * cosine.T_max
    crop, flip, _ = run.train_dataloader.dataset.pipeline
    assert crop == dict(loader.dataset.pipeline[1], scale=32)
    assert flip == loader.dataset.pipeline[2]


def test_our_run_is_shortened_whole(config):
    cfg = load_config(str(config))
    assert cfg.default_hooks.bootstrap.num_stages == 2
    short, long = (Config(quality.our_run(cfg, epochs)) for epochs in (1, 5))
    assert (short.train_cfg.max_epochs, long.train_cfg.max_epochs) == (1, 5)
    stages = [run.default_hooks.bootstrap.num_stages for run in (short, long)]
    assert stages == [1, 2]


def test_images_are_taken_evenly(config):
    dataset = load_config(str(config)).train_dataloader.dataset
    assert quality.select_images(dataset, 3) == 3
    assert dataset.source.indices == [0, 718, 1436]


def test_the_time_to_quality_is_measured(config, tmp_path, capsys):
    out = tmp_path / 'out.json'
    words = ['--images', '120', '--epochs', '2', '--threads', '1']
    run_benchmark('quality', '--config', config, *words, '--out', out)
    result = json.loads(out.read_text())['quality']
    rows = {row['step']: row for row in result['rows']}
    peer = rows['mmpretrain fp32']
    assert rows['untrained']['epochs'] == 0 and peer['epochs'] == 2
    assert len(result['times']['mmpretrain fp32']) == 2
    ours = [row for name, row in rows.items() if name.startswith('ours')]
    assert [row['epochs'] for row in ours] == list(range(1, len(ours) + 1))
    for row in ours:
        times = result['times'][row['step']]
        assert len(times) == row['epochs']
        if row['top-1'] >= peer['top-1']:
            expected = sum(result['times']['mmpretrain fp32']) / sum(times)
            assert row['x mmpretrain fp32'] == pytest.approx(expected, abs=0.006)
        else:
            assert row['x mmpretrain fp32'] == '-'
    said = capsys.readouterr().err
    assert 'quality: mmpretrain fp32: epoch 2 of 2' in said


def test_bad_input_is_one_line(config):
    for words, text in (
        (['--epochs', '0'], '--epochs 0 must be positive'),
        (['--images', '9999'], '--images 9999, but there are 1437'),
        (['--config', 'bootmae_deit-tiny_folder-disk'], 'images are in memory'),
    ):
        with pytest.raises(SystemExit) as stop:
            run_benchmark('quality', '--config', config, *words)
        assert text in stop.value.code and '\n' not in stop.value.code


def test_a_training_that_fails_is_one_line(config, monkeypatch):
    monkeypatch.setattr(
        quality, 'peer_run', lambda *_: {'train_cfg': {'max_epochs': 1}}
    )
    with pytest.raises(SystemExit, match='mmpretrain fp32 failed: '):
        run_benchmark('quality', '--config', config, '--images', '60')
