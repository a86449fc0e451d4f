"""Load pretrained weights strictly: a missing or unexpected key is an error."""

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import torch
from mmengine.logging import print_log
from torch import nn

from ..errors import UserError, check
from .formats import NOT_ENCODER, Weights, count_parts, rename_encoder
from .read import read_checkpoint, state_dict_of

# Where checkpoints keep an encoder. A pretraining has a student and a teacher: the
# student comes first.
PREFIXES = (
    'backbone.',
    '',
    'module.backbone.',
    'target_generator.encoder.',
    'encoder.',
    'module.',
    'model.',
)
# Every encoder has one of these keys: in timm's names, which are ours, or mmpretrain's.
LANDMARKS = ('patch_embed.proj.weight', 'patch_embed.projection.weight')
EXTRA_TOKENS = ('cls_token', 'dist_token')


def _first(keys: Iterable[str], number: int = 3) -> str:
    keys = list(keys)
    more = f' and {len(keys) - number} more' if len(keys) > number else ''
    return ', '.join(keys[:number]) + more


def compare_keys(own: Weights, given: Weights, what: str, advice: str) -> None:
    """Check that two state_dicts have the same keys and shapes.

    Args:
        own: The model's.
        given: The checkpoint's.
        what: The checkpoint, for the error message.
        advice: What the user can do, for the error message.

    Raises:
        UserError: if they differ; the message names the first keys that do.
    """
    shapes = [
        f'{key} {tuple(given[key].shape)} instead of {tuple(own[key].shape)}'
        for key in own
        if key in given and own[key].shape != given[key].shape
    ]
    differences = {
        'missing keys': _first(key for key in own if key not in given),
        'unexpected keys': _first(key for key in given if key not in own),
        'other shapes': _first(shapes),
    }
    found = '; '.join(f'{name}: {keys}' for name, keys in differences.items() if keys)
    if found:
        raise UserError(f'{what} does not match the model: {found}: {advice}')


def _find_prefix(weights: Weights) -> str | None:
    """Return the prefix under which a checkpoint keeps an encoder, None without one."""
    for prefix in PREFIXES:
        if any(prefix + landmark in weights for landmark in LANDMARKS):
            return prefix
    return None


def _split_encoder(weights: Weights, prefix: str) -> tuple[Weights, list[str]]:
    """Return the encoder under a prefix, in our names, and the keys of all the rest."""
    encoder, rest = {}, []
    for key, value in weights.items():
        name = key.removeprefix(prefix)
        if key.startswith(prefix) and not name.startswith(NOT_ENCODER):
            encoder[name] = value
        else:
            rest.append(key)
    return rename_encoder(encoder), rest


def _find_encoder(
    weights: Weights, prefix: str | None, path: str
) -> tuple[Weights, list[str], str]:
    """Split a checkpoint; return the encoder, the keys of the rest, and the prefix.

    Raises:
        UserError: if there is no encoder, or none under the ``prefix`` asked for.
    """
    found = _find_prefix(weights)
    prefix = (found or '') if prefix is None else prefix
    encoder, rest = _split_encoder(weights, prefix)
    if LANDMARKS[0] in encoder:
        return encoder, rest, prefix
    check(
        found is None,
        f'checkpoint {path} has no encoder under prefix={prefix!r}, but it has '
        f'one under prefix={found!r}: set that in init_cfg',
    )
    raise UserError(
        f'checkpoint {path} holds no vision transformer (no key ends in '
        f'{LANDMARKS[0]}; first keys: {_first(weights) or "none"}): give another'
    )


def _match_token_rows(
    weights: Weights, encoder: nn.Module, allowed: Callable[[str], bool]
) -> None:
    """Give the position embedding one row for each extra token of the encoder.

    ``weights`` change in place, if every differing token is allowed to differ. A token
    that the checkpoint lacks gets a row of zeros, as in the fixed sin-cos embedding: it
    starts from its own initial value alone. A token that the encoder lacks loses its
    row.
    """
    own = encoder.extra_token_names
    given = [token for token in EXTRA_TOKENS if token in weights]
    differing, table = set(own) ^ set(given), weights.get('pos_embed')
    fits = table is not None and table.ndim == 3 and table.shape[1] > len(given)
    if not differing or not fits or not all(map(allowed, differing)):
        return
    rows = {token: table[:, i : i + 1] for i, token in enumerate(given)}
    zeros = torch.zeros_like(table[:, :1])
    extra = [rows.get(token, zeros) for token in own]
    weights['pos_embed'] = torch.cat([*extra, table[:, len(given) :]], dim=1)
    for token in sorted(differing):
        change = 'added a row of zeros' if token in own else 'removed a row'
        text = f'position embedding: {change} for {token}'
        print_log(text, 'current', logging.WARNING)


def _resize_position(weights: Weights, encoder: nn.Module) -> None:
    """Interpolate the position embedding of another square grid, in place."""
    from mmpretrain.models.utils import resize_pos_embed

    table = weights.get('pos_embed')
    if table is None or table.shape == encoder.pos_embed.shape or table.ndim != 3:
        return
    extra, patches = encoder.num_extra_tokens, table.shape[1] - encoder.num_extra_tokens
    side = round(max(patches, 0) ** 0.5)
    if table.shape[2] == encoder.embed_dims and side**2 == patches > 0:
        weights['pos_embed'] = resize_pos_embed(
            table, (side, side), encoder.geometry.grid, num_extra_tokens=extra
        )
        rows, columns = encoder.geometry.grid
        print_log(
            f'position embedding interpolated from {side}x{side} to {rows}x{columns} '
            'patches: the checkpoint is of another image or patch size',
            'current',
            logging.WARNING,
        )


def _resize_patches(weights: Weights, encoder: nn.Module) -> None:
    """Resample the projection of patches of another size, in place."""
    from timm.layers import resample_patch_embed

    given, own = weights[LANDMARKS[0]], encoder.patch_embed.proj.weight
    if given.ndim == 4 and given.shape[:2] == own.shape[:2] != given.shape:
        old, new = list(given.shape[2:]), list(own.shape[2:])
        if old != new:
            weights[LANDMARKS[0]] = resample_patch_embed(given, new)
            print_log(
                f'patch projection resampled from {old[0]}x{old[1]} to '
                f'{new[0]}x{new[1]} pixels',
                'current',
                logging.WARNING,
            )


class EncoderSizes(NamedTuple):
    """Sizes of an encoder that its weights show; the number of heads they do not.

    Attributes:
        embed_dims: Width of the tokens.
        num_layers: Number of blocks.
        mlp_ratio: Width of the hidden layer over that of the tokens.
        distilled: Whether it has a distillation token.
    """

    embed_dims: int
    num_layers: int
    mlp_ratio: float
    distilled: bool


def read_sizes(path: str) -> EncoderSizes:
    """Return the sizes of the encoder in a checkpoint.

    Raises:
        UserError: if the file cannot be read or holds no encoder.
    """
    weights, _, _ = _find_encoder(state_dict_of(read_checkpoint(path)), None, path)
    width = weights[LANDMARKS[0]].shape[0]
    blocks = {key.split('.')[1] for key in weights if key.startswith('blocks.')}
    hidden = weights.get('blocks.0.mlp.fc1.weight')
    check(
        hidden is not None,
        f'checkpoint {path} has no transformer block: give a vision transformer',
    )
    ratio = hidden.shape[0] / width
    return EncoderSizes(width, len(blocks), ratio, 'dist_token' in weights)


def load_encoder(
    encoder: nn.Module,
    path: str,
    prefix: str | None = None,
    allow: str | Sequence[str] = (),
    resample_patches: bool = False,
) -> None:
    """Load a pretrained encoder; every key must be found and none may be left over.

    Reads this plugin's checkpoints (a pretraining, a finetuned classifier, an encoder
    alone), and those of timm, the official MAE and BootMAE, and mmpretrain. The log
    names the heads and decoders that were left out. Of a run with EMAHook the averaged
    weights are loaded.

    Args:
        encoder: A :class:`MaskedViT`. A position embedding of another square grid is
            interpolated to the encoder's.
        path: File or URL of the checkpoint.
        prefix: Prefix of the encoder's keys in it, such as ``'backbone.'``. Defaults to
            None: it is found.
        allow: Keys that may be missing, and keep their initial values, or be left over.
            An entry that ends in a dot allows all keys that begin with it. The log
            names every such key at WARNING level. Defaults to (): none.
        resample_patches: Resample the projection of patches of another size (FlexiViT,
            arXiv:2212.08013, by timm). Defaults to False: it is an error.

    Raises:
        UserError: if the file cannot be read, or its encoder does not match.
    """
    check(
        bool(path),
        'no checkpoint was given to start from: set model.backbone.init_cfg.checkpoint '
        '(--cfg-options model.backbone.init_cfg.checkpoint=work_dirs/.../epoch_N.pth)',
    )
    names = [allow] if isinstance(allow, str) else list(allow)

    def allowed(key: str) -> bool:
        return key in names or key.startswith(
            tuple(name for name in names if name.endswith('.'))
        )

    weights = state_dict_of(read_checkpoint(path))
    given, rest, prefix = _find_encoder(weights, prefix, path)
    _match_token_rows(given, encoder, allowed)
    _resize_position(given, encoder)
    if resample_patches:
        _resize_patches(given, encoder)
    own = encoder.state_dict()
    for key in sorted(own.keys() ^ given.keys()):
        if allowed(key):
            what = 'kept its initial value' if key in own else 'left out'
            print_log(
                f'{key} of {path}: {what}, as allowed', 'current', logging.WARNING
            )
            given.pop(key, None)
            own.pop(key, None)
    advice = 'check that arch, img_size and patch_size are those of the pretraining'
    differing = own.keys() ^ given.keys()
    if differing and differing <= {*EXTRA_TOKENS}:
        advice = f'to load it anyway, set init_cfg.allow="[{",".join(differing)}]"'
    compare_keys(own, given, f'checkpoint {path} (prefix={prefix!r})', advice)
    encoder.load_state_dict(given, strict=False)  # allowed keys may be missing
    left_out = f'; left out: {count_parts(rest)}' if rest else ''
    print_log(f'loaded {len(given)} encoder tensors from {path}{left_out}', 'current')


def load_module(module: nn.Module, path: str, prefix: str | None = None) -> None:
    """Load a backbone of any kind, strictly.

    Args:
        module: The backbone.
        path: File or URL of the checkpoint.
        prefix: Prefix of the backbone's keys in it. Defaults to None: ``'backbone.'``
            if any key has it, else none.

    Raises:
        UserError: if the file cannot be read, or does not match.
    """
    weights = state_dict_of(read_checkpoint(path))
    if prefix is None:
        prefix = 'backbone.' if any(k.startswith('backbone.') for k in weights) else ''
    given = {
        key.removeprefix(prefix): value
        for key, value in weights.items()
        if key.startswith(prefix)
    }
    what = f'checkpoint {path} (prefix={prefix!r})'
    advice = 'give a checkpoint of this architecture'
    compare_keys(module.state_dict(), given, what, advice)
    module.load_state_dict(given)
