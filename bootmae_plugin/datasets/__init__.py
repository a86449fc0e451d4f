"""From images to batches: sources, images in memory, batch augmentation."""

from .augment import BatchPadCrop, BatchRandomResizedCrop
from .in_memory import InMemoryImages
from .preprocessor import BatchDataPreprocessor
from .sources import CIFAR10Copy, Digits, ImageFolder

__all__ = [
    'BatchDataPreprocessor',
    'BatchPadCrop',
    'BatchRandomResizedCrop',
    'CIFAR10Copy',
    'Digits',
    'ImageFolder',
    'InMemoryImages',
]
