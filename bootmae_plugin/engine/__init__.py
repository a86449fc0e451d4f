"""What every run does: stages, schedules, precision, parameter groups, progress."""

from ..moved import MOVED_FROM_ENGINE, moved_names
from .autocast import Bf16OptimWrapper
from .bootstrap import BootstrapHook
from .muon import MuonConstructor, MuonLayerDecayConstructor
from .param_groups import LayerDecayConstructor, MergedGroupsConstructor
from .progress import ProgressHook
from .schedulers import WarmupCosineLR

__all__ = [
    'Bf16OptimWrapper',
    'BootstrapHook',
    'LayerDecayConstructor',
    'MergedGroupsConstructor',
    'MuonConstructor',
    'MuonLayerDecayConstructor',
    'ProgressHook',
    'WarmupCosineLR',
]

__getattr__ = moved_names(__name__, MOVED_FROM_ENGINE)
