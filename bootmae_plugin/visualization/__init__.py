"""Pictures of a run: reconstructions, loss curves, predicted label maps."""

from .curves import plot_losses, read_scalars
from .reconstruction import (
    load_model,
    quadruplets,
    reconstruct,
    save_mask_sweep,
    save_quadruplets,
    save_reconstructions,
)
from .segmentation import overlay, save_predictions

__all__ = [
    'load_model',
    'overlay',
    'plot_losses',
    'quadruplets',
    'read_scalars',
    'reconstruct',
    'save_mask_sweep',
    'save_predictions',
    'save_quadruplets',
    'save_reconstructions',
]
