"""Hooks, schedules and the runner of our tools."""

from .autocast import Bf16OptimWrapper
from .bootstrap import BootstrapHook
from .checkpoints import SafeCheckpointHook
from .exact_resume import ExactResumeHook
from .finite import FiniteHook
from .interruption import Interrupted, InterruptHook
from .knn import KNNHook
from .layer_decay import LayerDecayConstructor
from .loops import ExactEpochLoop, ExactIterLoop
from .param_groups import MergedGroupsConstructor
from .progress import ProgressHook
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
    'ExactEpochLoop',
    'ExactIterLoop',
    'ExactResumeHook',
    'FiniteHook',
    'InterruptHook',
    'Interrupted',
    'ReconstructionHook',
    'SafeCheckpointHook',
    'SegmentationPictureHook',
    'ShardedRunner',
    'WarmupCosineLR',
]
