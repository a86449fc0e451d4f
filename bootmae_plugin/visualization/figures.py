"""Matplotlib figures: making and saving them, without a display."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # matplotlib takes a second, and every training imports this room
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def new_figure(
    size: tuple[float, float], rows: int = 1, columns: int = 1
) -> tuple[Figure, np.ndarray]:
    """Return a figure of ``size`` (inches) and its axes, (rows, columns)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout='constrained')
    return figure, figure.subplots(rows, columns, squeeze=False)


def show_image(
    axes: Axes, image: np.ndarray, title: str = '', fontsize: int = 9
) -> None:
    """Draw an image (H, W, 3) with a title and without ticks."""
    axes.imshow(image, interpolation='nearest')
    axes.axis('off')
    axes.set_title(title, fontsize=fontsize)


def save_figure(figure: Figure, out: str | Path, dpi: int = 110) -> Path:
    """Save a figure, make its folder if needed, and return the path."""
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=dpi)
    return out


def mosaic(images: np.ndarray, columns: int) -> np.ndarray:
    """Arrange images (B, H, W, 3) uint8 in one, each with a thin white frame."""
    b, h, w, _ = images.shape
    rows = -(-b // columns)
    canvas = np.full((rows * (h + 2), columns * (w + 2), 3), 255, np.uint8)
    for i, image in enumerate(images):
        y, x = divmod(i, columns)
        canvas[y * (h + 2) + 1 :, x * (w + 2) + 1 :][:h, :w] = image
    return canvas
