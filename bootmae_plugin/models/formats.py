"""Names of the weights in other code -> ours."""

from collections.abc import Iterable

import torch
from torch import Tensor

Weights = dict[str, Tensor]


def _join_bias(weights: Weights) -> Weights:
    """BEiT keeps a bias of q and of v, none of k: one bias of zeros for k."""
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


def _rename(weights: Weights, rules: Iterable[tuple[str, str]]) -> Weights:
    """The first rule whose prefix fits renames a key; others are dropped."""
    renamed = {}
    for key, value in weights.items():
        for old, new in rules:
            if key.startswith(old):
                renamed[new + key.removeprefix(old)] = value
                break
    return renamed


ENCODER = ('cls_token', 'dist_token', 'pos_embed', 'patch_embed.', 'blocks.', 'norm.')


def encoder_only(weights: Weights, prefix: str = '') -> Weights:
    """The encoder's tensors, named as in timm, the official MAE and this plugin."""
    return _rename(weights, [(name, prefix + name) for name in ENCODER])


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
    if teacher is not None:
        teacher = encoder_only(_join_bias(teacher), 'target_generator.encoder.')
        weights |= teacher
    return weights
