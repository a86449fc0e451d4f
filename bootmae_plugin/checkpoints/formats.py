"""Weights of other code: recognising them by their keys, and renaming them to ours.

The encoder's names are timm's, so most of it is the same everywhere.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import UserError

Weights = dict[str, Tensor]
Rules = Iterable[tuple[str, str]]

ENCODER = ('cls_token', 'dist_token', 'pos_embed', 'patch_embed.', 'blocks.', 'norm.')


class Format(NamedTuple):
    """How a kind of checkpoint is recognised and read."""

    title: str
    recognise: Callable[[Weights], bool]
    convert: Callable[[Weights], Weights]


def _rename(weights: Weights, rules: Rules) -> Weights:
    """The first rule whose prefix fits renames a key; the rest is dropped."""
    renamed = {}
    for key, value in weights.items():
        for old, new in rules:
            if key.startswith(old):
                renamed[new + key.removeprefix(old)] = value
                break
    return renamed


def encoder_only(weights: Weights, prefix: str = '') -> Weights:
    """The encoder's tensors, named as in timm, the official MAE and this plugin."""
    return _rename(weights, [(name, prefix + name) for name in ENCODER])


def _join_bias(weights: Weights) -> Weights:
    """BEiT keeps a bias of q and of v, none of k: one bias, with zeros for k."""
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
    """Official BootMAE (and its moving average) -> :class:`BootMAE`."""
    student = _join_bias(student)
    weights = encoder_only(student, 'backbone.')
    weights |= _rename(
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
    # The teacher starts from the student where the file has no moving average.
    teacher = _join_bias(teacher) if teacher is not None else student
    weights |= encoder_only(teacher, 'target_generator.encoder.')
    weights['stage_number'] = torch.tensor(1)
    return weights


def from_mae(weights: Weights) -> Weights:
    """Official MAE -> :class:`BootMAE` with a pixel branch."""
    renamed = encoder_only(weights, 'backbone.')
    renamed |= _rename(
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


def _block_name(rest: str, inverse: bool = False) -> str | None:
    """'3.ln1.weight' -> '3.norm1.weight' (or back)."""
    number, _, name = rest.partition('.')
    for theirs, ours in MMPRETRAIN_BLOCK:
        old, new = (ours, theirs) if inverse else (theirs, ours)
        if name.startswith(old):
            return f'{number}.{new}{name.removeprefix(old)}'
    return None


def from_mmpretrain(weights: Weights) -> Weights:
    """mmpretrain's MAE (with or without its decoder), or its ViT and DeiT."""
    renamed = {}
    for key, value in weights.items():
        for old, new in (
            ('backbone.layers.', 'backbone.blocks.'),
            ('neck.decoder_blocks.', 'neck.blocks.'),
        ):
            if key.startswith(old):
                renamed[new + str(_block_name(key.removeprefix(old)))] = value
    rules = [
        ('backbone.cls_token', 'backbone.cls_token'),
        ('backbone.dist_token', 'backbone.dist_token'),
        ('backbone.pos_embed', 'backbone.pos_embed'),
        ('backbone.patch_embed.projection.', 'backbone.patch_embed.proj.'),
        ('backbone.ln1.', 'backbone.norm.'),
        ('neck.mask_token', 'neck.mask_token'),
        ('neck.decoder_pos_embed', 'neck.pos_embed'),
        ('neck.decoder_embed.', 'neck.embed.'),
        ('neck.ln1.', 'neck.norm.'),
        ('neck.decoder_norm.', 'neck.norm.'),
        ('neck.decoder_pred.', 'head.pixel.pred.'),
    ]
    renamed |= _rename(weights, rules)
    if 'neck.mask_token' in renamed:
        renamed['stage_number'] = torch.tensor(1)
    return renamed


def _has(*keys: str) -> Callable[[Weights], bool]:
    return lambda weights: all(key in weights for key in keys)


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
        lambda weights: encoder_only(weights, 'backbone.'),
    ),
}


def recognise(weights: Weights, where: str) -> str:
    """Name of the format of some weights.

    Raises:
        UserError: if it is none that we know.
    """
    for name, known in FORMATS.items():
        if known.recognise(weights):
            return name
    titles = ', '.join(known.title for known in FORMATS.values())
    raise UserError(
        f'{where} is of no format that we know (its keys begin {list(weights)[:3]}): '
        f'expected {titles}'
    )
