"""The commands knn and linear_probe: options, cached features, figures."""

import json

import pytest
import torch

from bootmae_plugin.cli import knn, linear_probe
from tests.evaluation.test_features import ARCH, encoder
from tests.tiny import ROOT

LINEAR = 'configs/benchmarks/linear/deit-tiny_digits.py'


@pytest.fixture
def words(tmp_path, monkeypatch):
    """Common words of the command lines: few images, a small encoder."""
    monkeypatch.chdir(ROOT)
    torch.save(encoder().state_dict(), tmp_path / 'a.pth')
    options = [
        'train_dataloader.dataset.source.indices=200',
        'test_dataloader.dataset.source.indices=100',
        *(f'model.backbone.arch.{k}={v}' for k, v in ARCH.items()),
    ]
    return [
        LINEAR, str(tmp_path / 'a.pth'), '--cache', str(tmp_path / 'cache'),
        '--cfg-options', *options,
    ]  # fmt: skip


def test_both_commands_share_the_features(words, tmp_path, capsys):
    out = tmp_path / 'figures.json'
    linear_probe.main([*words, '--pool', 'avg', 'flatten66', '--epochs', '3',
                       '--out', str(out)])  # fmt: skip
    assert 'flatten66' in capsys.readouterr().out
    figures = json.loads(out.read_text())
    assert set(figures) == {'avg', 'flatten66'}
    assert len(figures['avg']['scores']) == 3
    cached = {p: p.stat().st_mtime_ns for p in (tmp_path / 'cache').iterdir()}
    assert len(cached) == 4  # two poolings of two sets
    knn.main([*words, '-k', '5', '20'])
    printed = capsys.readouterr().out
    assert '5-NN top-1' in printed
    assert '20-NN top-1' in printed
    after = {p: p.stat().st_mtime_ns for p in (tmp_path / 'cache').iterdir()}
    assert cached == after


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (['--pool', 'max'], "unknown out_type='max'"),
        (['--temperature', '0'], '--temperature 0.0 must be positive'),
        (['-k', '201'], 'k=201 neighbors of 200'),
    ],
)
def test_bad_options_of_knn(words, change, message):
    with pytest.raises(SystemExit, match=f'error: .*{message}'):
        knn.main([*words, *change])


def test_a_config_without_labeled_data_or_none(words):
    for config, message in (
        ('configs/selfsup/mae_deit-tiny_cifar10.py', 'no training and test set'),
        ('nothing.py', 'nothing.py does not exist'),
    ):
        with pytest.raises(SystemExit, match=message):
            knn.main([config, *words[1:4]])


def test_the_british_spelling_is_accepted_and_not_documented(words, capsys):
    for option in ('--optimizer', '--optimiser'):
        args = linear_probe.parse_args([*words, option, 'lars'])
        assert args.optimizer == 'lars'
    assert linear_probe.parse_args(words).optimizer == 'sgd'
    with pytest.raises(SystemExit):
        linear_probe.parse_args(['--help'])
    printed = capsys.readouterr().out
    assert '--optimizer' in printed
    assert '--optimiser' not in printed
    with pytest.raises(SystemExit):
        linear_probe.parse_args([*words, '--optimizer', 'adam'])
    assert "invalid choice: 'adam'" in capsys.readouterr().err
