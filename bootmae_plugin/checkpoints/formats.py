"""Checkpoint formats of other projects: recognize them, rename their keys to ours.

The encoder's parameter names are timm's, so most names are the same everywhere.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import UserError

Weights = dict[str, Tensor]
Rules = Iterable[tuple[str, str]]

ENCODER = ('cls_token', 'dist_token', 'pos_embed', 'patch_embed.', 'blocks.', 'norm.')
# Beside an encoder, the parts of timm's, the official MAE's and BootMAE's models.
HEADS = ('head.', 'head_dist.', 'pre_logits.', 'fc.')
DECODERS = ('mask_token', 'decoder_', 'de_pos_embed', 'down.', 'down_1.', 'decode_')
NOT_ENCODER = (*HEADS, *DECODERS, 'lm_head')


class Format(NamedTuple):
    """How one kind of checkpoint is recognized and converted."""

    title: str
    recognize: Callable[[Weights], bool]
    convert: Callable[[Weights], Weights]


def rename(weights: Weights, rules: Rules) -> Weights:
    """Replace prefixes by the first rule (old, new) that matches; drop other keys."""
    renamed = {}
    for key, value in weights.items():
        for old, new in rules:
            if key.startswith(old):
                renamed[new + key.removeprefix(old)] = value
                break
    return renamed


def count_parts(keys: Iterable[str]) -> str:
    """Summarize keys by their first part: 'head (2 tensors), mask_token (1 tensor)'."""
    parts = Counter(key.split('.')[0] for key in keys)
    return ', '.join(
        f'{name} ({number} tensor{"s" if number > 1 else ""})'
        for name, number in parts.items()
    )


def encoder_only(weights: Weights, prefix: str = '') -> Weights:
    """Keep the encoder of weights in timm's names, and put ``prefix`` before them."""
    return rename(weights, [(name, prefix + name) for name in ENCODER])


def _join_bias(weights: Weights) -> Weights:
    """Join BEiT's q and v biases into one bias; k, which has none, gets zeros."""
    joined = {
        k: v for k, v in weights.items() if not k.endswith(('.q_bias', '.v_bias'))
    }
    for key, q_bias in weights.items():
        if not key.endswith('.q_bias'):
            continue
        stem = key.removesuffix('q_bias')
        v_bias = weights[stem + 'v_bias']
        zero = torch.zeros_like(v_bias)
        if stem + 'q.weight' in weights:  # cross-attention
            joined[stem + 'q.bias'] = q_bias
            joined[stem + 'kv.bias'] = torch.cat([zero, v_bias])
        else:
            joined[stem + 'qkv.bias'] = torch.cat([q_bias, zero, v_bias])
    return joined


def from_bootmae(student: Weights, teacher: Weights | None = None) -> Weights:
    """Convert the official BootMAE, and its moving average, to :class:`BootMAE`."""
    student = _join_bias(student)
    weights = encoder_only(student, 'backbone.')
    weights |= rename(
        student,
        [
            ('de_pos_embed', 'neck.pixel.pos_embed'),
            ('mask_token_1', 'neck.feature.mask_token'),
            ('mask_token', 'neck.pixel.mask_token'),
            ('down_1.', 'neck.feature.embed.'),
            ('down.', 'neck.pixel.embed.'),
            ('decode_blocks_1.', 'neck.feature.blocks.'),
            ('decode_blocks.', 'neck.pixel.blocks.'),
            ('decode_norm_1.', 'neck.feature.norm.'),
            ('decode_norm.', 'neck.pixel.norm.'),
            ('lm_head_1.', 'head.feature.pred.'),
            ('lm_head.proj.', 'head.pixel.pred.'),
        ],
    )
    weights['neck.feature.pos_embed'] = student['pos_embed']
    weights = {
        key.replace('.c_attn.', '.cross_attn.')
        .replace('.norm3.', '.norm_query.')
        .replace('.norm4.', '.norm_context.'): value
        for key, value in weights.items()
    }
    # A transposed convolution (D, C, p, p) is a linear layer to (p, p, C).
    deconv = weights['head.pixel.pred.weight']
    weights['head.pixel.pred.weight'] = deconv.permute(2, 3, 1, 0).flatten(0, 2)
    # Without a moving average in the file, the teacher starts from the student.
    teacher = _join_bias(teacher) if teacher is not None else student
    weights |= encoder_only(teacher, 'target_generator.encoder.')
    weights['stage_number'] = torch.tensor(1)
    return weights


def from_mae(weights: Weights) -> Weights:
    """Convert the official MAE to :class:`BootMAE` with a pixel branch."""
    renamed = encoder_only(weights, 'backbone.')
    renamed |= rename(
        weights,
        [
            ('mask_token', 'neck.mask_token'),
            ('decoder_pred.', 'head.pixel.pred.'),
            ('decoder_', 'neck.'),
        ],
    )
    if 'neck.mask_token' in renamed:
        renamed['stage_number'] = torch.tensor(1)
    return renamed


# mmpretrain's name within a block -> ours.
MMPRETRAIN_BLOCK = (
    ('ln1.', 'norm1.'),
    ('ln2.', 'norm2.'),
    ('attn.', 'attn.'),
    ('ffn.layers.0.0.', 'mlp.fc1.'),
    ('ffn.layers.1.', 'mlp.fc2.'),
)


def rename_block(rest: str, to_mmpretrain: bool = False) -> str:
    """Rename a block's key from mmpretrain's to ours: '3.ln1.bias' -> '3.norm1.bias'.

    An unknown name stays as it is, so that strict loading reports it.
    """
    number, _, name = rest.partition('.')
    for theirs, ours in MMPRETRAIN_BLOCK:
        old, new = (ours, theirs) if to_mmpretrain else (theirs, ours)
        if name.startswith(old):
            return f'{number}.{new}{name.removeprefix(old)}'
    return rest


def rename_encoder(weights: Weights) -> Weights:
    """Rename an encoder's tensors, given without a prefix, to this plugin's names.

    They may have mmpretrain's names, or BEiT's separate q and v biases. timm's names
    are ours. Unknown names stay as they are, so that strict loading reports them.
    """
    if 'patch_embed.projection.weight' in weights:
        renamed = {}
        for key, value in weights.items():
            if key.startswith('layers.'):
                key = 'blocks.' + rename_block(key.removeprefix('layers.'))
            elif key.startswith('ln1.'):
                key = 'norm.' + key.removeprefix('ln1.')
            key = key.replace('patch_embed.projection.', 'patch_embed.proj.')
            renamed[key] = value
        weights = renamed
    return _join_bias(weights)


def from_mmpretrain(weights: Weights) -> Weights:
    """Convert mmpretrain's MAE, with or without its decoder, or its ViT or DeiT."""
    encoder = rename_encoder(rename(weights, [('backbone.', '')]))
    renamed = {f'backbone.{key}': value for key, value in encoder.items()}
    prefix = 'neck.decoder_blocks.'
    for key, value in weights.items():
        if key.startswith(prefix):
            renamed['neck.blocks.' + rename_block(key.removeprefix(prefix))] = value
    renamed |= rename(
        weights,
        [
            ('neck.mask_token', 'neck.mask_token'),
            ('neck.decoder_pos_embed', 'neck.pos_embed'),
            ('neck.decoder_embed.', 'neck.embed.'),
            ('neck.ln1.', 'neck.norm.'),
            ('neck.decoder_norm.', 'neck.norm.'),
            ('neck.decoder_pred.', 'head.pixel.pred.'),
        ],
    )
    if 'neck.mask_token' in renamed:
        renamed['stage_number'] = torch.tensor(1)
    return renamed


def _has(*keys: str) -> Callable[[Weights], bool]:
    return lambda weights: all(key in weights for key in keys)


# The first format that recognizes some weights is theirs.
FORMATS = {
    'plugin': Format(
        'this plugin',
        _has('backbone.blocks.0.attn.qkv.weight', 'backbone.patch_embed.proj.weight'),
        lambda weights: dict(weights),
    ),
    'bootmae': Format(
        'official BootMAE',
        _has('mask_token_1', 'decode_blocks_1.0.c_attn.q.weight', 'pos_embed'),
        from_bootmae,
    ),
    'mae': Format(
        'official MAE with its decoder',
        _has('decoder_embed.weight', 'pos_embed'),
        from_mae,
    ),
    'mmpretrain': Format(
        'mmpretrain MAE, ViT or DeiT',
        _has('backbone.layers.0.ln1.weight', 'backbone.patch_embed.projection.weight'),
        from_mmpretrain,
    ),
    'timm': Format(
        'timm ViT or DeiT, or the official MAE encoder',
        _has('blocks.0.attn.qkv.weight', 'patch_embed.proj.weight', 'pos_embed'),
        lambda weights: encoder_only(_join_bias(weights), 'backbone.'),
    ),
}


def recognize(weights: Weights, source: str) -> str:
    """Return the name in :data:`FORMATS` of the format of some weights.

    Args:
        weights: A model's state_dict.
        source: The file, for the error message.

    Raises:
        UserError: if the format is unknown.
    """
    for name, known in FORMATS.items():
        if known.recognize(weights):
            return name
    titles = ', '.join(known.title for known in FORMATS.values())
    raise UserError(
        f'{source} has an unknown format (its first keys: {list(weights)[:3]}): '
        f'expected {titles}'
    )
