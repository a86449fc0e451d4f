"""Pictures of a run: reconstructions, loss curves, and the report."""

from .curves import plot_losses, read_scalars
from .pictures import (
    quadruplets,
    save_mask_sweep,
    save_quadruplets,
    save_reconstructions,
)
from .reconstruction import load_model, reconstruct, set_mask_ratio
from .reconstruction_hook import ReconstructionHook
from .report import Examples, build_report
from .run_files import RunFiles

__all__ = [
    'Examples',
    'ReconstructionHook',
    'RunFiles',
    'build_report',
    'load_model',
    'plot_losses',
    'quadruplets',
    'read_scalars',
    'reconstruct',
    'save_mask_sweep',
    'save_quadruplets',
    'save_reconstructions',
    'set_mask_ratio',
]
