"""Teachers, and how their features are normalized before the student predicts them."""

from .average import EMAEncoder
from .generator import TargetGenerator
from .normalization import PositionNorm, Whitening, normalize_images, normalize_tokens
from .pretrained import PretrainedEncoder
from .stage import StageEncoder

__all__ = [
    'EMAEncoder',
    'PositionNorm',
    'PretrainedEncoder',
    'StageEncoder',
    'TargetGenerator',
    'Whitening',
    'normalize_images',
    'normalize_tokens',
]
