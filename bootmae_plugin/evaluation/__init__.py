"""What a frozen encoder is worth: cached features, linear probe, nearest neighbours."""

from .features import FeatureSet, extract_features, load_features
from .knn import knn_accuracy
from .knn_hook import KNNHook
from .linear_probe import LinearResult, linear_probe

__all__ = [
    'FeatureSet',
    'KNNHook',
    'LinearResult',
    'extract_features',
    'knn_accuracy',
    'linear_probe',
    'load_features',
]
