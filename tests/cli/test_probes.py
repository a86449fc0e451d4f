"""The commands knn and linear_probe: options, cached features, figures."""

import csv
import json
import shlex
from statistics import fmean

import pytest
import torch

from bootmae_plugin.cli import knn, linear_probe
from bootmae_plugin.cli.features import load_feature_sets
from bootmae_plugin.datasets.digits import load_digits_rgb
from bootmae_plugin.evaluation import draw_labels, knn_accuracy, spectrum
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


def test_features_too_wide_for_a_rank_have_none(words, monkeypatch, capsys):
    knn.main([*words, '--pool', 'avg'])
    assert 'effective rank' in capsys.readouterr().out
    monkeypatch.setattr(spectrum, 'MAX_WIDTH', 1)
    knn.main([*words, '--pool', 'avg'])
    printed = capsys.readouterr().out
    assert '20-NN top-1' in printed and 'rank' not in printed and 'nan' not in printed


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (['--pool', 'max'], "unknown out_type='max'"),
        (['--temperature', '0'], '--temperature 0.0 must be positive'),
        (['-k', '201'], 'k=201 neighbors of 200'),
        (['--pool', 'attentive'], 'attentive is learned with labels'),
        (['--seeds', '0', '--labels-per-class', '2'], '--seeds 0 must be positive'),
        (['--labels-per-class', '99'], '99 labels per class, but the smallest'),
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


def rows_of(path) -> list[dict]:
    with path.open(newline='') as file:
        return list(csv.DictReader(file))


def test_controls_and_all_poolings_are_rows_of_one_table(words, tmp_path, capsys):
    table = tmp_path / 'results.csv'
    common = [*words, '--csv', str(table), '--controls', '--pool', 'grid2x2']
    knn.main([*common, '--center', '-k', '3'])
    linear_probe.main([*common, 'attentive', '--epochs', '2', '--seeds', '2'])
    checkpoint, printed = words[1], capsys.readouterr().out
    assert 'grid2x2, random init  3-NN, centered top-1' in printed
    rows = rows_of(table)
    assert [(r['protocol'], r['checkpoint'], r['pool']) for r in rows] == [
        *(('3-NN, centered', c, 'grid2x2') for c in (checkpoint, 'random')),
        ('3-NN, centered', '', 'pixels'),
        *(('linear', checkpoint, pool) for pool in ('grid2x2', 'attentive')),
        *(('linear', 'random', pool) for pool in ('grid2x2', 'attentive')),
        ('linear', '', 'pixels'),
    ]
    assert {row['labels'] for row in rows} == {'200'}
    assert [row['seeds'] for row in rows] == ['0'] * 3 + ['0 1'] * 5
    for row in rows:
        scores = [float(score) for score in row['scores'].split()]
        assert float(row['mean']) == pytest.approx(fmean(scores), abs=0.011)
        assert (row['effective_rank'] == '') == (row['pool'] == 'attentive')
    assert shlex.split(rows[0]['command'])[:4] == ['bootmae', 'knn', LINEAR, checkpoint]


def test_pixels_are_the_normalized_images(words):
    """Of a nearest neighbor without the encoder: computed from the data set itself."""
    args = knn.parse_args([*words, '--pool', 'pixels'])
    (features,) = load_feature_sets(args)
    images, _ = load_digits_rgb('train')
    expected = (torch.from_numpy(images[:200]).permute(0, 3, 1, 2).float() - 77) / 88
    assert torch.allclose(features.data.train, expected.flatten(1), atol=1e-5)


def test_the_seed_of_the_config_draws_the_untrained_encoder(words):
    def features(seed: int) -> torch.Tensor:
        options = [words[0], 'random', *words[2:], f'randomness.seed={seed}']
        (found,) = load_feature_sets(knn.parse_args(options))
        return found.data.train

    assert torch.equal(features(1), features(1))
    assert not torch.allclose(features(0), features(1))


def test_the_split_val_does_not_read_the_test_images(words, tmp_path, capsys):
    table = tmp_path / 'results.csv'
    options = ['--split', 'val', '--csv', str(table), '--flip', '--epochs', '2']
    # Reading this test set would fail.
    words = [*words, 'test_dataloader.dataset.source.split=none']
    linear_probe.main([*words, *options])
    (row,) = rows_of(table)
    assert (row['split'], row['labels']) == ('val', '180')
    with pytest.raises(SystemExit, match="split='none'"):
        linear_probe.main([*words, '--epochs', '2'])


def test_few_labels_are_drawn_anew_for_each_seed(words, tmp_path):
    table = tmp_path / 'results.csv'
    options = ['--labels-per-class', '5', '--csv', str(table)]
    knn.main([*words, *options, '-k', '1'])
    linear_probe.main([*words, *options])
    nearest, linear = rows_of(table)
    assert nearest['labels'] == linear['labels'] == '50'
    assert nearest['seeds'] == linear['seeds'] == '0 1 2'
    assert len(set(nearest['scores'].split())) > 1
    assert linear['protocol'] == 'linear, lbfgs'
    (features,) = load_feature_sets(knn.parse_args([*words, *options]))
    expected = [
        knn_accuracy(draw_labels(features.data, 5, seed), k=1) for seed in range(3)
    ]
    assert nearest['scores'] == ' '.join(f'{score:.2f}' for score in expected)


def test_a_table_of_something_else_is_refused_first(words, tmp_path):
    table = tmp_path / 'results.csv'
    table.write_text('name,age\n')
    with pytest.raises(SystemExit, match='other columns'):
        knn.main([*words, '--csv', str(table)])
    assert not (tmp_path / 'cache').exists()
    assert table.read_text() == 'name,age\n'
