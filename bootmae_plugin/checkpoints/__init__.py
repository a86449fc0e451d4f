"""Weights in and out: safe reading, strict loading, formats of other projects."""

from .load import compare_keys, load_encoder, load_module
from .read import read_checkpoint, state_dict_of
from .safe_loaders import register_safe_loaders
from .write import CannotWrite, write_whole

__all__ = [
    'CannotWrite',
    'compare_keys',
    'load_encoder',
    'load_module',
    'read_checkpoint',
    'register_safe_loaders',
    'state_dict_of',
    'write_whole',
]
