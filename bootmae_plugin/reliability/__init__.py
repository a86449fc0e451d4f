"""What a run survives: kills, signals, full disks, damaged files, bad numbers."""

from .budget import BudgetHook
from .checkpoint_hook import SafeCheckpointHook
from .finite import FiniteHook
from .loops import ExactEpochLoop, ExactIterLoop
from .resume import ExactResumeHook
from .runner import PluginRunner
from .sharded import BlockFSDPStrategy, ShardedRunner
from .signals import Interrupted, InterruptHook

__all__ = [
    'BlockFSDPStrategy',
    'BudgetHook',
    'ExactEpochLoop',
    'ExactIterLoop',
    'ExactResumeHook',
    'FiniteHook',
    'InterruptHook',
    'Interrupted',
    'PluginRunner',
    'SafeCheckpointHook',
    'ShardedRunner',
]
