"""Reduce the checkpoint of a training to the weights that are still needed."""

from pathlib import Path

import torch

from .read import read_checkpoint
from .write import write_whole


def strip_checkpoint(path: Path, prefix: str = '') -> None:
    """Keep only weights in a checkpoint: replace the file whole, or leave it as it was.

    A stripped checkpoint can be evaluated, but no training can be resumed from it.

    Args:
        path: A checkpoint that a training has saved.
        prefix: Keep the weights whose keys begin with it. Defaults to '': all weights.

    Raises:
        UserError: if the file is damaged or cannot be written.
    """
    content = read_checkpoint(path)
    if is_stripped(content):
        return
    weights = content['state_dict']
    stripped = dict(
        meta=dict(content['meta'], stripped=True),
        state_dict={k: v for k, v in weights.items() if k.startswith(prefix)},
    )
    write_whole(path, lambda partial: torch.save(stripped, partial))


def is_stripped(content: dict) -> bool:
    """Return whether :func:`strip_checkpoint` has reduced this content of a file."""
    return bool(content.get('meta', {}).get('stripped'))
