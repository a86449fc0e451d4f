"""Hooks, schedules and the runner of our tools."""

from .bootstrap import BootstrapHook
from .knn import KNNHook
from .layer_decay import LayerDecayConstructor
from .progress import ProgressHook
from .reconstruction import ReconstructionHook
from .runner import PluginRunner
from .schedulers import WarmupCosineLR
from .segmentation import SegmentationPictureHook

__all__ = [
    'BootstrapHook',
    'KNNHook',
    'LayerDecayConstructor',
    'PluginRunner',
    'ProgressHook',
    'ReconstructionHook',
    'SegmentationPictureHook',
    'WarmupCosineLR',
]
