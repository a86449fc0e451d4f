"""Charts as SVG within a page, in the page's own text color."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from .figures import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK = '#010203'  # stands for the text color, which differs in light and dark pages
COLORS = ('#3b82d6', '#d9752b', '#3fa35b', '#c2504d', '#8b6fc4', '#8a7a5c', '#c76aa5')
SETTINGS = {
    'svg.fonttype': 'none',  # text stays text
    'svg.hashsalt': 'bootmae',  # the same chart is the same file
    'font.size': 9,
    'axes.prop_cycle': f'cycler("color", {list(COLORS)})',
    **{
        f'{name}.{part}': INK
        for name, part in (
            ('text', 'color'),
            ('axes', 'edgecolor'),
            ('axes', 'labelcolor'),
            ('xtick', 'color'),
            ('ytick', 'color'),
        )
    },
    'axes.spines.top': False,
    'axes.spines.right': False,
    'legend.frameon': False,
}


@contextmanager
def chart_settings() -> Iterator[None]:
    """Draw with the settings of all charts."""
    from matplotlib import rc_context

    with rc_context(SETTINGS):
        yield


def to_svg(figure: Figure) -> str:
    """Return a figure as an SVG element in the page's text color."""
    buffer = io.StringIO()
    figure.savefig(buffer, format='svg', transparent=True, metadata={'Date': None})
    text = buffer.getvalue()
    text = re.sub(
        r'<metadata>.*?</metadata>', '', text[text.index('<svg') :], flags=re.S
    )
    return text.replace(INK, 'currentColor')


def line_chart(
    lines: dict[str, tuple[Sequence[float], Sequence[float]]],
    stages: Sequence[float] = (),
) -> str:
    """Draw lines over the epochs.

    Args:
        lines: Name -> (epochs, values).
        stages: Epochs at which a stage starts, the first excepted.
    """
    with chart_settings():
        # The names stand above the lines: within the axes they would cover some.
        figure, ((axes,),) = new_figure((5.2, 2.6 + 0.17 * len(lines)))
        for number, (name, (x, y)) in enumerate(lines.items()):
            color = COLORS[number % len(COLORS)]
            style = '-' if number < len(COLORS) else '--'
            marker = 'o' if len(x) < 3 else None
            axes.plot(x, y, style, color=color, marker=marker, lw=1.4, label=name)
        for start in stages:
            axes.axvline(start, color=INK, linestyle=':', linewidth=0.8)
        axes.set(xlabel='epoch')
        figure.legend(fontsize=8, loc='outside upper left')
        return to_svg(figure)


def scatter_chart(
    points: np.ndarray, labels: np.ndarray | None, names: Sequence[str]
) -> str:
    """Draw points in the plane, colored by label.

    Args:
        points: (N, 2).
        labels: (N,) whole numbers, or None.
        names: Name of each label.
    """
    with chart_settings():
        figure, ((axes,),) = new_figure((5.2, 4.2))
        if labels is None:
            axes.scatter(*points.T, s=5, linewidths=0, color=COLORS[0])
        else:
            colors = [*COLORS, '#2f9e9e', '#b5a642', '#6b7280']
            for label in np.unique(labels):
                name = names[label] if label < len(names) else str(label)
                chosen = points[labels == label]
                color = colors[label % len(colors)]
                axes.scatter(*chosen.T, s=5, linewidths=0, color=color, label=name)
            if len(np.unique(labels)) <= 20:
                axes.legend(
                    fontsize=7,
                    markerscale=2.5,
                    loc='center left',
                    bbox_to_anchor=(1, 0.5),
                )
        axes.set(xticks=[], yticks=[])
        return to_svg(figure)


def confusion_chart(counts: np.ndarray, names: Sequence[str]) -> str:
    """Draw a confusion matrix (C, C) of counts: rows true, columns predicted."""
    shares = counts / counts.sum(axis=1, keepdims=True).clip(min=1)
    size = 2.2 + 0.32 * len(names)
    with chart_settings():
        figure, ((axes,),) = new_figure((size + 0.6, size))
        axes.imshow(shares, cmap='Blues', vmin=0, vmax=1)
        ticks = range(len(names))
        axes.set_xticks(ticks, names, rotation=60, ha='right')
        axes.set_yticks(ticks, names)
        axes.set(xlabel='predicted', ylabel='true')
        if len(names) <= 20:
            for i in ticks:
                for j in ticks:
                    if counts[i, j]:
                        color = '#ffffff' if shares[i, j] > 0.5 else '#1d2430'
                        text = f'{100 * shares[i, j]:.0f}'
                        axes.text(
                            j,
                            i,
                            text,
                            color=color,
                            ha='center',
                            va='center',
                            fontsize=7,
                        )
        return to_svg(figure)
