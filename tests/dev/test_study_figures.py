"""Figures of the study: what stands where, and what the file tells as text."""

from pathlib import Path

import pytest

from dev.study.figures import dot_plot, label_curves, write_figure

VALUES = {
    'a long name of a run, which needs more than a line': {'x': [50.0, 54.0]},
    'b': {'x': [40.0], 'y': [41.0]},
}


def test_a_dot_for_each_seed_and_a_ring_at_the_mean():
    x, y = dot_plot(VALUES).axes
    points = [line.get_xydata().tolist() for line in x.lines]
    assert points == [[[50, 0], [54, 0]], [[52, 0]], [[40, 1]]]
    assert [line.get_xydata().tolist() for line in y.lines] == [[], [[41, 1]]]
    assert (x.get_title(), y.get_title()) == ('x', 'y')
    texts = [label.get_text() for label in x.get_yticklabels()]
    assert texts[0].count('\n') == 1 and texts[1] == 'b'
    lengths = [axes.get_xlim()[1] - axes.get_xlim()[0] for axes in (x, y)]
    assert lengths == pytest.approx([1.3 * 14, 1.3 * 14])
    assert y.get_xlim()[0] < 41 < y.get_xlim()[1]
    assert x.get_ylim()[0] > x.get_ylim()[1]  # the first run is on top


def test_a_curve_for_each_column_over_the_labels():
    rows = {'10': {'probe': [30.0], 'pixels': [20.0]}}
    rows['1000'] = {'probe': [50.0], 'pixels': [35.0]}
    (axes,) = label_curves(rows).axes
    curves = {line.get_label(): line.get_xydata().tolist() for line in axes.lines}
    assert curves == {
        'probe': [[10, 30], [1000, 50]],
        'pixels': [[10, 20], [1000, 35]],
    }
    assert axes.get_xscale() == 'log'


def test_the_file_tells_its_numbers_and_is_the_same_again(tmp_path):
    values = {'a < b': {'linear avg': [50.04, 52.0]}}
    write_figure(values, tmp_path / 'new/a.svg')
    text = Path(tmp_path / 'new/a.svg').read_text()
    assert '<desc>a &lt; b: linear avg 50.0 52.0</desc>' in text
    assert 'currentColor' not in text
    write_figure(values, tmp_path / 'b.svg')
    assert (tmp_path / 'b.svg').read_text() == text
