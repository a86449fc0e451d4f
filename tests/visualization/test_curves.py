"""Loss curves: what is drawn is what was logged."""

import json

import numpy as np
import pytest
from matplotlib.axes import Axes
from PIL import Image

from bootmae_plugin import UserError
from bootmae_plugin.visualization import plot_losses, read_scalars


def write_log(work_dir, run: str, records: list[dict]) -> None:
    folder = work_dir / run / 'vis_data'
    folder.mkdir(parents=True)
    lines = [json.dumps(record) for record in records]
    (folder / 'scalars.json').write_text('\n'.join(lines) + '\n')


def step(iteration, stage, **losses):
    return (
        dict(loss=1.0, iter=iteration, epoch=-(-iteration // 10), stage=stage) | losses
    )


def test_branches_and_stage_boundaries_over_two_runs(tmp_path, monkeypatch):
    first = [step(10, 1, loss_pixel=0.9), {'accuracy/top1': 5.0, 'step': 1}]
    second = [step(20, 1, loss_pixel=0.8), step(30, 2, loss_feature=0.7)]
    write_log(tmp_path, '20250101', first)
    write_log(tmp_path, '20250102', second)
    assert read_scalars(tmp_path) == first + second

    curves, boundaries = {}, []
    monkeypatch.setattr(
        Axes, 'plot', lambda self, x, y, label: curves.update({label: (x, y)})
    )
    monkeypatch.setattr(
        Axes, 'axvline', lambda self, x, **options: boundaries.append(x)
    )
    monkeypatch.setattr(Axes, 'legend', lambda self: None)
    plot_losses(tmp_path, tmp_path / 'loss.png')
    assert curves == {
        'loss: pixel': ((1.0, 2.0), (0.9, 0.8)),
        'loss: feature': ((3.0,), (0.7,)),
    }
    assert boundaries == [2]


def test_a_picture_is_written(tmp_path):
    write_log(tmp_path, 'run', [step(10, 1), step(20, 1)])
    path = plot_losses(tmp_path, tmp_path / 'new/loss.png')
    assert np.asarray(Image.open(path)).std() > 10


def test_no_log_to_draw(tmp_path):
    with pytest.raises(UserError, match='holds no log'):
        plot_losses(tmp_path, tmp_path / 'x.png')
    write_log(tmp_path, 'run', [{'accuracy/top1': 5.0}])
    with pytest.raises(UserError, match='holds no training log yet'):
        plot_losses(tmp_path, tmp_path / 'x.png')
