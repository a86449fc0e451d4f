"""What every run does: stages, schedules, precision, parameter groups, progress."""

from ..moved import moved_names
from .autocast import Bf16OptimWrapper
from .bootstrap import BootstrapHook
from .layer_decay import LayerDecayConstructor
from .muon import MuonConstructor
from .param_groups import MergedGroupsConstructor
from .progress import ProgressHook
from .schedulers import WarmupCosineLR

__all__ = [
    'Bf16OptimWrapper',
    'BootstrapHook',
    'LayerDecayConstructor',
    'MergedGroupsConstructor',
    'MuonConstructor',
    'ProgressHook',
    'WarmupCosineLR',
]

__getattr__ = moved_names(
    __name__,
    {
        'BlockFSDPStrategy': 'bootmae_plugin.reliability',
        'ExactEpochLoop': 'bootmae_plugin.reliability',
        'ExactIterLoop': 'bootmae_plugin.reliability',
        'ExactResumeHook': 'bootmae_plugin.reliability',
        'FiniteHook': 'bootmae_plugin.reliability',
        'InterruptHook': 'bootmae_plugin.reliability',
        'Interrupted': 'bootmae_plugin.reliability',
        'KNNHook': 'bootmae_plugin.evaluation',
        'PluginRunner': 'bootmae_plugin.reliability',
        'ReconstructionHook': 'bootmae_plugin.visualization',
        'SafeCheckpointHook': 'bootmae_plugin.reliability',
        'SegmentationPictureHook': 'bootmae_plugin.segmentation',
        'ShardedRunner': 'bootmae_plugin.reliability',
    },
)
