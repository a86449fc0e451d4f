"""From images to batches: sources, images in memory, batch augmentation."""

from .augment import BatchPadCrop, BatchRandomResizedCrop
from .color import BatchColorJitter
from .in_memory import InMemoryImages
from .labels import LabeledImages
from .preprocessor import BatchDataPreprocessor
from .sources import CIFAR10Copy, Digits, FashionMNIST12k, ImageFolder
from .transforms import CoverCrop

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
]
