"""Write predicted classes into a CSV file, and a picture of some; needs no torch."""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from .spec import ModelSpec

SHOWN = 25  # photos in a picture


def columns(top_k: int) -> list[str]:
    """Return path, label, probability, label_2, probability_2, ..."""
    names = ['path', 'label', 'probability']
    for i in range(2, top_k + 1):
        names += [f'label_{i}', f'probability_{i}']
    return names


def row(path: Path, probabilities: np.ndarray, spec: ModelSpec, top_k: int) -> list:
    """Return the line of a photo: the ``top_k`` most probable classes."""
    values: list = [str(path)]
    for label in np.argsort(-probabilities, kind='stable')[:top_k]:
        values += [spec.classes[label], f'{probabilities[label]:.6f}']
    return values


@contextmanager
def whole_table(out: Path, top_k: int, spec: ModelSpec) -> Iterator:
    """Yield a CSV writer; the file appears under its name when all has been written."""
    partial = out.with_name(f'.{out.name}.partial')
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open(partial, 'w', encoding='utf-8', newline='') as file:
            writer = csv.writer(file)
            writer.writerow(columns(min(top_k, len(spec.classes))))
            yield writer
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)


def save_picture(images: list[np.ndarray], rows: list[list], out: Path) -> None:
    """Draw photos (H, W, 3) with their labels.

    Args:
        images: As the model sees them, at most :data:`SHOWN`.
        rows: Their lines of the table.
        out: PNG file.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    side = int(np.ceil(len(images) ** 0.5))
    figure = Figure(figsize=(1.8 * side, 2 * side), dpi=110, layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.subplots(side, side, squeeze=False).ravel()
    for ax in axes:
        ax.set_axis_off()
    for ax, image, (_, label, probability, *_) in zip(axes, images, rows, strict=False):
        ax.imshow(image)
        ax.set_title(f'{label} {float(probability):.0%}', fontsize=8)
    figure.savefig(out)
