"""Convert checkpoint files: other projects' to this plugin's, ours to timm's names."""

from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import save

from ..errors import UserError, check
from .formats import (
    FORMATS,
    Weights,
    count_parts,
    from_bootmae,
    recognize,
    rename,
    rename_block,
)
from .read import read_checkpoint, state_dict_of
from .write import CannotWrite, write_whole


def to_timm(encoder: Weights) -> Weights:
    """Convert this plugin's encoder to timm's ViT or distilled DeiT, without heads."""
    return dict(encoder)


def to_mmpretrain(encoder: Weights) -> Weights:
    """Convert this plugin's encoder to mmpretrain's, under ``backbone.``."""
    renamed = {}
    for key, value in encoder.items():
        if key.startswith('blocks.'):
            name = 'layers.' + rename_block(key.removeprefix('blocks.'), True)
        elif key.startswith('norm.'):
            name = 'ln1.' + key.removeprefix('norm.')
        else:
            name = key.replace('patch_embed.proj.', 'patch_embed.projection.')
        renamed[f'backbone.{name}'] = value
    return renamed


EXPORTS = {'timm': to_timm, 'mmpretrain': to_mmpretrain}


def export_encoder(weights: Weights, source: str) -> Weights:
    """Return the student's encoder of a checkpoint of this plugin, without a prefix.

    Raises:
        UserError: if there is none; ``source`` names the file.
    """
    encoder = rename(weights, [('backbone.', '')])
    check(
        bool(encoder),
        f'{source} holds no encoder of this plugin (no key begins with backbone.): '
        'convert it to the plugin first',
    )
    return encoder


class Conversion(NamedTuple):
    """What :func:`convert_checkpoint` did.

    Attributes:
        title: The format of the input.
        read: Number of tensors in the input.
        written: Number of tensors in the output.
        dropped: The parts of the input that are not in the output, or 'nothing'.
    """

    title: str
    read: int
    written: int
    dropped: str


def convert_checkpoint(
    source: str | Path,
    target: str | Path,
    to: str = 'plugin',
    unpickle: bool = False,
    force: bool = False,
) -> Conversion:
    """Convert a checkpoint file; its format is recognized by its keys.

    Args:
        source: File to read, which is never changed.
        target: File to write (.pth or .safetensors).
        to: 'plugin' (default), or 'timm' or 'mmpretrain' for the encoder alone.
        unpickle: See :func:`read_checkpoint`. Defaults to False.
        force: Replace an existing output. Defaults to False.

    Raises:
        UserError: if the input cannot be read or its format is unknown, or if the
            output exists already or cannot be written.
    """
    source, target = Path(source), Path(target)
    content = read_checkpoint(source, unpickle)
    check(
        source.resolve() != target.resolve(),
        f'output {target} is the input itself, which is never overwritten: name '
        'another file',
    )
    check(
        force or not target.exists(),
        f'output {target} exists already: name another file, or give --force',
    )
    weights = state_dict_of(content)
    name = recognize(weights, str(source))
    if name == 'bootmae' and isinstance(content.get('model_ema'), dict):
        result = from_bootmae(weights, content['model_ema'])
    else:
        result = FORMATS[name].convert(weights)
    if to != 'plugin':
        result = EXPORTS[to](export_encoder(result, str(source)))
    # Converted tensors share the memory of the originals, unless they were merged.
    kept = {value.data_ptr() for value in result.values()}
    merged = ('q_bias', 'v_bias', 'lm_head.proj.weight')
    dropped = [
        key
        for key, value in weights.items()
        if value.data_ptr() not in kept and not key.endswith(merged)
    ]
    save_weights(result, target)
    return Conversion(
        FORMATS[name].title,
        len(weights),
        len(result),
        count_parts(dropped) or 'nothing',
    )


def save_weights(
    weights: Weights, target: Path, metadata: dict[str, str] | None = None
) -> None:
    """Write weights whole or not at all, as safetensors if the file name says so.

    Args:
        weights: A state_dict.
        target: The file.
        metadata: Stored in a safetensors file. Defaults to None.

    Raises:
        UserError: if the file cannot be written; an older one is left as it was.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    # A view, or a tensor that is stored twice, would be refused or saved with its base.
    weights = {key: value.clone().contiguous() for key, value in weights.items()}

    def write(path: Path) -> None:
        if target.suffix == '.safetensors':
            # Not save_file: only the owner may read what it writes.
            path.write_bytes(save(weights, metadata))
        else:
            torch.save(dict(state_dict=weights), path)

    try:
        write_whole(target, write)
    except CannotWrite as error:
        raise UserError(
            f'{target} cannot be written ({error.__cause__}): make room on the disk, '
            'or choose another folder'
        ) from error
