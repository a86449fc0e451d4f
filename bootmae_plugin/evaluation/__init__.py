"""Evaluation of a frozen encoder: cached features, linear probe, nearest neighbors."""

from .attentive import attentive_probe
from .cache import load_features
from .features import FeatureSet, extract_features
from .knn import knn_accuracy
from .knn_hook import KNNHook
from .linear_probe import LinearResult, linear_probe
from .protocols import feature_sets, training_command
from .results import Result, append_results
from .spectrum import effective_rank, feature_std
from .subsets import draw_labels

__all__ = [
    'FeatureSet',
    'KNNHook',
    'LinearResult',
    'Result',
    'append_results',
    'attentive_probe',
    'draw_labels',
    'effective_rank',
    'extract_features',
    'feature_sets',
    'feature_std',
    'knn_accuracy',
    'linear_probe',
    'load_features',
    'training_command',
]
