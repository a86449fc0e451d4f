"""Encoders, decoders, heads and masks, and the algorithm that joins them."""

from ..targets import EMAEncoder, PretrainedEncoder, StageEncoder, TargetGenerator
from .algorithm import BootMAE
from .decoders import CrossAttentionDecoder, CrossMAEDecoder, Decoder, MAEDecoder
from .encoders import MaskedDeiT, MaskedViT
from .heads import BranchHead, FeatureHead, PixelHead
from .masking import BlockMasking, GridMasking, Mask, Masking, RandomMasking
from .pooling import NormNeck
from .views import JointHead, PooledTokens, UniformityHead, ViewHead

__all__ = [
    'BlockMasking',
    'BootMAE',
    'BranchHead',
    'CrossAttentionDecoder',
    'CrossMAEDecoder',
    'Decoder',
    'EMAEncoder',
    'FeatureHead',
    'GridMasking',
    'JointHead',
    'MAEDecoder',
    'Mask',
    'MaskedDeiT',
    'MaskedViT',
    'Masking',
    'NormNeck',
    'PixelHead',
    'PooledTokens',
    'PretrainedEncoder',
    'RandomMasking',
    'StageEncoder',
    'TargetGenerator',
    'UniformityHead',
    'ViewHead',
]
