"""From images to batches: sources, images in memory, batch augmentation."""

from .augment import BatchPadCrop, BatchRandomResizedCrop
from .color import BatchColorJitter
from .in_memory import CoverCrop, InMemoryImages
from .labels import LabeledImages
from .preprocessor import BatchDataPreprocessor
from .shard_batches import ShardBatches
from .shards import WebDatasetShards
from .sources import CIFAR10Copy, Digits, FashionMNIST12k, ImageFolder

__all__ = [
    'BatchColorJitter',
    'BatchDataPreprocessor',
    'BatchPadCrop',
    'BatchRandomResizedCrop',
    'CIFAR10Copy',
    'CoverCrop',
    'Digits',
    'FashionMNIST12k',
    'ImageFolder',
    'InMemoryImages',
    'LabeledImages',
    'ShardBatches',
    'WebDatasetShards',
]
