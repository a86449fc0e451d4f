"""Encoders, decoders, heads, teachers and masks, and the algorithm that joins them."""

from .algorithm import BootMAE
from .decoders import MAEDecoder
from .encoders import MaskedDeiT, MaskedViT
from .heads import BranchHead, FeatureHead, PixelHead
from .masking import Mask, RandomMasking
from .targets import StageEncoder, TargetGenerator

__all__ = [
    'BootMAE',
    'BranchHead',
    'FeatureHead',
    'MAEDecoder',
    'Mask',
    'MaskedDeiT',
    'MaskedViT',
    'PixelHead',
    'RandomMasking',
    'StageEncoder',
    'TargetGenerator',
]
