"""Evaluation of a frozen encoder: cached features, linear probe, nearest neighbors."""

from .cache import load_features
from .features import FeatureSet, extract_features
from .knn import knn_accuracy
from .knn_hook import KNNHook
from .linear_probe import LinearResult, linear_probe
from .protocols import feature_sets, training_command

__all__ = [
    'FeatureSet',
    'KNNHook',
    'LinearResult',
    'extract_features',
    'feature_sets',
    'knn_accuracy',
    'linear_probe',
    'load_features',
    'training_command',
]
