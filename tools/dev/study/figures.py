"""Figures of ``docs/results.md``: SVG files of the numbers in its tables."""

import html
from collections.abc import Callable
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

from bootmae_plugin.visualization.charts import COLORS, INK, chart_settings, to_svg
from bootmae_plugin.visualization.figures import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Values of the rows, a list over the seeds for each row; row -> column -> values.
Values = dict[str, dict[str, list[float]]]
GRAY = '#6e7781'  # legible on light and on dark pages
WIDTH, LINE = 9.0, 0.19  # inches: of a figure, of a line of text


def dot_plot(values: Values) -> 'Figure':
    """Draw a panel for each column, a line for each row and a dot for each seed.

    A ring stands at the mean of several seeds. A point of accuracy has the same length
    in all panels.
    """
    columns = list(dict.fromkeys(c for row in values.values() for c in row))
    ranges = {
        column: [v for row in values.values() for v in row.get(column, [])]
        for column in columns
    }
    span = 1.3 * max(max(found) - min(found) for found in ranges.values()) or 1.0
    labels = ['\n'.join(wrap(name, 30)) for name in values]
    lines = sum(label.count('\n') + 1.6 for label in labels)
    figure, (panels,) = new_figure((WIDTH, 0.7 + LINE * lines), 1, len(columns))
    for number, (axes, column) in enumerate(zip(panels, columns, strict=True)):
        color = COLORS[number % len(COLORS)]
        for y, row in enumerate(values.values()):
            seeds = row.get(column, [])
            axes.plot(seeds, [y] * len(seeds), 'o', color=color, markersize=4)
            if len(seeds) > 1:
                mean = sum(seeds) / len(seeds)
                axes.plot(mean, y, 'o', mfc='none', mec=INK, markersize=8)
        axes.set(title=column, yticks=range(len(labels)))
        axes.set_yticklabels(labels if number == 0 else [])
        axes.set_ylim(len(labels) - 0.5, -0.5)
        middle = (min(ranges[column]) + max(ranges[column])) / 2
        axes.set_xlim(middle - span / 2, middle + span / 2)
        axes.locator_params(axis='x', nbins=5, integer=True)
        axes.grid(color=INK, alpha=0.2, linewidth=0.5)
    return figure


def label_curves(values: Values) -> 'Figure':
    """Draw a line for each column over the numbers of labels, which name the rows."""
    figure, ((axes,),) = new_figure((WIDTH * 0.7, 3.6))
    for number, column in enumerate(next(iter(values.values()))):
        points = [
            (int(n), row[column][0]) for n, row in values.items() if column in row
        ]
        color = COLORS[number % len(COLORS)]
        axes.plot(*zip(*points, strict=True), 'o-', color=color, label=column, ms=4)
    axes.set(xscale='log', xlabel='labels per class', ylabel='top-1 (%)')
    axes.set_xticks([int(n) for n in values], [f'{int(n):,}' for n in values])
    axes.minorticks_off()
    axes.grid(color=INK, alpha=0.2, linewidth=0.5)
    figure.legend(fontsize=8, loc='outside right upper')
    return figure


def describe(values: Values) -> str:
    """Return the numbers of a figure as text, one row a line."""
    return '\n'.join(
        f'{name}: '
        + ', '.join(f'{c} ' + ' '.join(f'{v:.1f}' for v in row[c]) for c in row)
        for name, row in values.items()
    )


def write_figure(
    values: Values, path: Path, draw: Callable[[Values], 'Figure'] = dot_plot
) -> None:
    """Draw the values into an SVG file, whose ``desc`` element tells them as text."""
    with chart_settings():
        svg = to_svg(draw(values)).replace('currentColor', GRAY)
    start = svg.index('>', svg.index('<svg')) + 1
    text = html.escape(describe(values))
    path.parent.mkdir(exist_ok=True)
    content = f'{svg[:start]}\n <desc>{text}</desc>{svg[start:]}'
    path.write_text(content, encoding='utf-8')
