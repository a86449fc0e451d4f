"""A trained classifier or encoder as a model of timm, with equal outputs."""

import json
from typing import NamedTuple

from torch import nn

from ..checkpoints.formats import Weights
from ..errors import UserError, check
from .spec import CLASSIFICATION, SEGMENTATION, ModelSpec

ADVICE = 'export to .onnx or .pt2 instead'
POOLINGS = dict(avg='avg', cls='token', distilled='token')  # ours -> timm's


class TimmModel(NamedTuple):
    """What ``timm.create_model`` needs.

    Attributes:
        architecture: Name of the model.
        model_args: Its arguments, besides ``num_classes``.
        weights: Its state_dict.
    """

    architecture: str
    model_args: dict
    weights: Weights


def to_timm_model(model: nn.Module, spec: ModelSpec) -> TimmModel:
    """Convert a classifier, or an encoder that gives the mean of the patch tokens.

    A distillation token becomes a register token, unless the head averages the scores
    of both tokens, as in timm's distilled DeiT. The batch norm of a linear probe
    becomes a part of the linear layer.

    Args:
        model: Of a :class:`.trained.TrainedModel`.
        spec: Of the same.

    Raises:
        UserError: if timm has no such model.
    """
    check(spec.task != SEGMENTATION, f'timm has no segmentation models: {ADVICE}')
    has_head = spec.task == CLASSIFICATION
    encoder = model.backbone if has_head else model
    weights, last = dict(encoder.state_dict()), encoder.num_layers - 1
    check(
        encoder.out_type in POOLINGS and tuple(encoder.out_indices) == (last,),
        f'timm has no pooling {encoder.out_type!r} of the blocks '
        f'{tuple(encoder.out_indices)}: {ADVICE}',
    )
    block = encoder.blocks[0]
    args = dict(
        img_size=list(encoder.geometry.img_size),
        patch_size=encoder.geometry.patch_size,
        in_chans=encoder.geometry.in_channels,
        embed_dim=encoder.embed_dims,
        depth=encoder.num_layers,
        num_heads=block.attn.num_heads,
        mlp_ratio=block.mlp.fc1.out_features / encoder.embed_dims,
        global_pool=POOLINGS[encoder.out_type],
        fc_norm=False,
    )
    name = 'vit_tiny_patch16_224'
    if encoder.out_type == 'distilled':
        name = 'deit_tiny_distilled_patch16_224'
    elif 'dist_token' in weights:
        args['reg_tokens'] = 1
        weights['reg_token'] = weights.pop('dist_token')
    if has_head:
        _add_head(model, weights, args)
    return TimmModel(name, args, weights)


def _add_head(model: nn.Module, weights: Weights, args: dict) -> None:
    """Add the neck and the head to the weights."""
    kind = type(model.head).__name__
    if kind == 'LinearClsHead':
        layers = dict(head=model.head.fc)
    elif kind == 'DeiTClsHead' and model.head.hidden_dim is None:
        both = model.head.layers
        layers = dict(head=both.head, head_dist=both.head_dist)
    else:
        raise UserError(f'timm has no head {kind}: {ADVICE}')
    linear = {
        f'{name}.{key}': value
        for name, layer in layers.items()
        for key, value in layer.state_dict().items()
    }
    neck = type(model.neck).__name__ if model.with_neck else None
    if neck == 'NormNeck' and not model.backbone.final_norm:
        for key, value in model.neck.norm.state_dict().items():
            weights.pop(f'norm.{key}')
            weights[f'fc_norm.{key}'] = value
        args['fc_norm'] = True
    elif neck == 'ClsBatchNormNeck' and model.backbone.final_norm:
        linear = _merge_batch_norm(model.neck.bn, linear)
    else:
        check(
            neck is None and model.backbone.final_norm,
            f'timm has no norm like that of {neck or "this encoder"}: {ADVICE}',
        )
    weights |= linear


def _merge_batch_norm(norm: nn.BatchNorm1d, linear: Weights) -> Weights:
    """Return the linear layer that does the work of a batch norm and of itself."""
    scale = (norm.running_var.double() + norm.eps).rsqrt()
    shift = -norm.running_mean.double() * scale
    if norm.affine:
        scale, shift = scale * norm.weight, shift * norm.weight + norm.bias
    weight, bias = linear['head.weight'].double(), linear['head.bias'].double()
    merged = {'head.weight': weight * scale, 'head.bias': bias + weight @ shift}
    return {key: value.float() for key, value in merged.items()}


def timm_config(timm_model: TimmModel, spec: ModelSpec) -> str:
    """Return what timm stores in ``config.json`` beside ``model.safetensors``."""
    height, width = spec.input_size
    crop = 1.0 if spec.resize_edge is None else min(spec.input_size) / spec.resize_edge
    number = len(spec.classes)
    pretrained = dict(
        input_size=[3, height, width],
        fixed_input_size=True,
        interpolation='bicubic',
        crop_pct=crop,
        crop_mode='center',
        mean=[value / 255 for value in spec.mean],
        std=[value / 255 for value in spec.std],
        num_classes=number,
        label_names=list(spec.classes),
        classifier='head',
        first_conv='patch_embed.proj',
    )
    config = dict(
        architecture=timm_model.architecture,
        num_classes=number,
        model_args=timm_model.model_args,
        pretrained_cfg=pretrained,
    )
    return json.dumps(config)


def create(timm_model: TimmModel, spec: ModelSpec) -> nn.Module:
    """Create the model with timm, in eval mode."""
    import timm

    model = timm.create_model(
        timm_model.architecture, num_classes=len(spec.classes), **timm_model.model_args
    )
    model.load_state_dict(timm_model.weights)
    return model.eval()
