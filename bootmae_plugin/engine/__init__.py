"""Hooks, schedules and the runner of our tools."""

from .autocast import Bf16OptimWrapper
from .bootstrap import BootstrapHook
from .checkpoints import SafeCheckpointHook
from .knn import KNNHook
from .layer_decay import LayerDecayConstructor
from .param_groups import MergedGroupsConstructor
from .progress import ProgressHook
from .random_state import RandomStateHook
from .reconstruction import ReconstructionHook
from .runner import PluginRunner
from .schedulers import WarmupCosineLR
from .segmentation import SegmentationPictureHook
from .sharded import BlockFSDPStrategy, ShardedRunner

__all__ = [
    'Bf16OptimWrapper',
    'BlockFSDPStrategy',
    'BootstrapHook',
    'KNNHook',
    'LayerDecayConstructor',
    'MergedGroupsConstructor',
    'PluginRunner',
    'ProgressHook',
    'RandomStateHook',
    'ReconstructionHook',
    'SafeCheckpointHook',
    'SegmentationPictureHook',
    'ShardedRunner',
    'WarmupCosineLR',
]
