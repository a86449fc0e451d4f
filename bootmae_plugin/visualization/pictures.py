"""Pictures of reconstructions: quadruplets, a sweep of the mask ratio, mosaics."""

from pathlib import Path

import numpy as np
from torch import Tensor, nn

from ..errors import UserError
from ..models.masking import RandomMasking
from .figures import mosaic, new_figure, save_figure, show_image
from .reconstruction import reconstruct, set_mask_ratio

SWEEP = tuple(round(0.1 * i, 1) for i in range(1, 10))


def _to_pixels(model: nn.Module, images: Tensor) -> np.ndarray:
    """Turn normalized images (B, 3, H, W) into RGB pixels (B, H, W, 3) uint8."""
    preprocessor = model.data_preprocessor
    raw = (images * preprocessor.std + preprocessor.mean).clamp(0, 255).round().byte()
    return raw.permute(0, 2, 3, 1).cpu().numpy()


def _normalize(model: nn.Module, images: Tensor) -> Tensor:
    """Turn RGB images (B, 3, H, W) uint8 into the model's input."""
    preprocessor = model.data_preprocessor  # its mean and std are in RGB
    images = images.to(model.stage_number.device).float()
    return (images - preprocessor.mean) / preprocessor.std


def _panels(model: nn.Module, images: Tensor) -> dict[str, np.ndarray]:
    """Reconstruct images (B, 3, H, W) uint8; return panels (B, H, W, 3) uint8."""
    panels = reconstruct(model, _normalize(model, images))
    return {name: _to_pixels(model, panel) for name, panel in panels.items()}


def _save_grid(
    rows: list[list[np.ndarray]], titles: list[str], out: str | Path
) -> Path:
    """Save pictures in rows and columns, with a title over each column."""
    size = (1.6 * len(titles), 1.6 * len(rows) + 0.3)
    figure, axes = new_figure(size, len(rows), len(titles))
    for i, row in enumerate(rows):
        for ax, picture, title in zip(axes[i], row, titles, strict=True):
            show_image(ax, picture, title if i == 0 else '')
    return save_figure(figure, out)


def save_quadruplets(model: nn.Module, images: Tensor, out: str | Path) -> Path:
    """Save original | masked | reconstruction | pasted, one row per image.

    Args:
        model: See :func:`reconstruct`.
        images: (B, 3, H, W) uint8, RGB.
        out: Picture to write.
    """
    panels = _panels(model, images)
    rows = [list(row) for row in zip(*panels.values(), strict=True)]
    return _save_grid(rows, list(panels), out)


def save_mask_sweep(model: nn.Module, images: Tensor, out: str | Path) -> Path:
    """Save the first image at mask ratios 0.1 ... 0.9: masked above, pasted below.

    The masks are the model's own kind. A kind that exists for few ratios (grid-wise
    sampling) is replaced by random masks at the others.

    Args: see :func:`save_quadruplets`.
    """
    masking = model.masking
    top, bottom = [], []
    try:
        for ratio in SWEEP:
            model.masking = masking
            try:
                set_mask_ratio(model, ratio)
            except UserError:
                model.masking = RandomMasking(ratio)
            panels = _panels(model, images[:1])
            top.append(panels['masked'][0])
            bottom.append(panels['pasted'][0])
    finally:
        model.masking = masking
    return _save_grid([top, bottom], [str(ratio) for ratio in SWEEP], out)


def quadruplets(model: nn.Module, images: Tensor) -> np.ndarray:
    """Return the quadruplets as one picture (H, W, 3) uint8; see save_quadruplets."""
    columns = [mosaic(panel, 1) for panel in _panels(model, images).values()]
    return np.concatenate(columns, axis=1)


def save_reconstructions(model: nn.Module, images: Tensor, out: str | Path) -> Path:
    """Save masked | reconstruction | original, each a mosaic of all images.

    Args: see :func:`save_quadruplets`.
    """
    panels = _panels(model, images)
    shown = dict(masked='masked', pasted='reconstruction', original='original')
    figure, (axes,) = new_figure((12, 4.4), columns=3)
    for ax, (key, title) in zip(axes, shown.items(), strict=True):
        picture = mosaic(panels[key], round(len(images) ** 0.5))
        show_image(ax, picture, title, fontsize=12)
    return save_figure(figure, out)
