"""The table of the quickstart: each figure from its file, and the spread of runs."""

import json
from pathlib import Path

import pytest

from bootmae_plugin.cli import quickstart_report


def make_run(root: Path, add: float) -> Path:
    """Write files as the quickstart's runs do, with scores that tell them apart."""
    for start, base in (('random', 10), ('pretrained', 50)):
        base += add
        for number, labels in enumerate((10, 100)):
            knn, linear = {'avg': {'20': base + number}}, {'avg': {'mean': base + 2}}
            root.mkdir(exist_ok=True)
            (root / f'knn_{labels}_{start}.json').write_text(json.dumps(knn))
            (root / f'linear_probe_{labels}_{start}.json').write_text(
                json.dumps(linear)
            )
            log = [{'accuracy/top1': 0.0}, {'accuracy/top1': base + 4 + number}]
            write_log(root / f'finetune_{labels}_{start}', log)
    return root


def write_log(work_dir: Path, rows: list[dict]) -> None:
    file = work_dir / 'run/vis_data/scalars.json'
    file.parent.mkdir(parents=True)
    file.write_text('\n'.join(map(json.dumps, rows)))


@pytest.fixture(scope='module')
def roots(tmp_path_factory) -> list[Path]:
    top = tmp_path_factory.mktemp('runs')
    return [make_run(top / str(seed), add) for seed, add in enumerate((0, 1, 2))]


def test_figures_of_one_run(roots):
    scores = {
        name: [score(roots[0], start) for start in ('random', 'pretrained')]
        for name, score in quickstart_report.PROTOCOLS.items()
    }
    assert scores == {
        '20-NN, 10 labels per class': [10, 50],
        '20-NN, 100 labels per class': [11, 51],
        'linear, 10 labels per class': [12, 52],
        'linear, 100 labels per class': [12, 52],
        'finetune, 10 labels per class': [14, 54],
        'finetune, 100 labels per class': [15, 55],
    }


def test_mean_and_standard_deviation_of_several_runs(roots, monkeypatch, capsys):
    for name in ('load_model', 'save_reconstructions', 'plot_losses'):
        monkeypatch.setattr(quickstart_report, name, lambda *args: args[-1])
    (roots[0] / 'pretrain').mkdir()
    (roots[0] / 'pretrain/config.py').touch()
    quickstart_report.main([*map(str, roots)])
    row = next(
        line for line in capsys.readouterr().out.splitlines() if 'finetune, 10 ' in line
    )
    cells = [cell.strip() for cell in row.strip('│').split('│')]
    assert cells == ['finetune, 10 labels per class', '15.0 ± 1.0', '55.0 ± 1.0']
