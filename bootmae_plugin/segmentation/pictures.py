"""Pictures of label maps drawn over their images."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..images import overlay


def save_predictions(
    images: Sequence[np.ndarray],
    truths: Sequence[np.ndarray],
    predictions: Sequence[np.ndarray],
    classes: Sequence[str],
    palette: Sequence,
    path: str | Path,
    scores: dict[str, float] | None = None,
) -> Path:
    """Draw image, truth and prediction, one row per image, with a legend of classes.

    Args:
        images: (H, W, 3) uint8 each.
        truths, predictions: (H, W) labels each.
        classes: Names of the labels.
        palette: (R, G, B) in 0..255 of each class.
        path: PNG file to write.
        scores: IoU in percent by class name, shown in the legend. Defaults to None.

    Returns:
        ``path``.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    height, width = images[0].shape[:2]
    size = (9, 3 * height / width * len(images) + 1.2)
    figure = Figure(figsize=size, dpi=110, layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(images), 3, squeeze=False)
    for row, image, truth, prediction in zip(
        axes, images, truths, predictions, strict=True
    ):
        pictures = (image, *(overlay(image, m, palette) for m in (truth, prediction)))
        for ax, picture in zip(row, pictures, strict=True):
            ax.imshow(picture, interpolation='nearest')
            ax.set_axis_off()
    for ax, title in zip(axes[0], ('image', 'truth', 'prediction'), strict=True):
        ax.set_title(title)
    shown = [
        i
        for i, name in enumerate(classes)
        if len(classes) <= 24 or any((m == i).any() for m in (*truths, *predictions))
    ]
    labels = {
        i: f'{classes[i]} {scores[classes[i]]:.1f}' if scores else classes[i]
        for i in shown
    }
    handles = [
        Patch(color=np.asarray(palette[i]) / 255, label=label)
        for i, label in labels.items()
    ]
    title = 'IoU (%)' if scores else None
    figure.legend(
        handles=handles, loc='outside lower center', ncols=6, fontsize=8, title=title
    )
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    return path
