"""Strict, safe loading of weights: nothing is unpickled, nothing silently missing."""

from collections.abc import Iterable, Sequence

from mmengine.logging import print_log
from torch import Tensor, nn

from ..errors import UserError, check
from .formats import ENCODER, FORMATS
from .read import read_checkpoint, state_dict_of

# Names under which other code keeps an encoder; used to recognise a wrong prefix.
KNOWN_PREFIXES = (
    'backbone.',
    'module.backbone.',
    'target_generator.encoder.',
    'encoder.',
    'module.',
    'model.',
)
LANDMARK = 'patch_embed.proj.weight'  # every encoder has it


def _first(keys: Iterable[str], number: int = 3) -> str:
    keys = list(keys)
    more = f' and {len(keys) - number} more' if len(keys) > number else ''
    return (', '.join(keys[:number]) or 'none') + more


def compare_keys(
    own: dict[str, Tensor], given: dict[str, Tensor], what: str, advice: str
) -> None:
    """Raise one line naming the first differing keys unless ``given`` fits ``own``."""
    missing = [key for key in own if key not in given]
    unexpected = [key for key in given if key not in own]
    shapes = [
        f'{key} {tuple(given[key].shape)} instead of {tuple(own[key].shape)}'
        for key in own
        if key in given and own[key].shape != given[key].shape
    ]
    if missing or unexpected or shapes:
        raise UserError(
            f'{what} does not match the model: missing keys: {_first(missing)}; '
            f'unexpected keys: {_first(unexpected)}; other shapes: {_first(shapes)}: '
            f'{advice}'
        )


def _resize_position(weights: dict[str, Tensor], encoder: nn.Module) -> None:
    """Interpolate a position embedding of another square grid, in place."""
    from mmpretrain.models.utils import resize_pos_embed

    place = weights.get('pos_embed')
    if place is None or place.shape == encoder.pos_embed.shape or place.ndim != 3:
        return
    extra, side = encoder.num_extra_tokens, round((place.shape[1] - 1) ** 0.5)
    if place.shape[2] == encoder.embed_dims and side**2 == place.shape[1] - extra:
        weights['pos_embed'] = resize_pos_embed(
            place, (side, side), encoder.geometry.grid, num_extra_tokens=extra
        )


def _find_prefix(weights: dict[str, Tensor]) -> str:
    """Where the encoder stands; of a pretraining's two, the student."""
    found = [p for p in ('backbone.', '', *KNOWN_PREFIXES) if p + LANDMARK in weights]
    return found[0] if found else ''


def _other_code(weights: dict[str, Tensor]) -> str | None:
    """What the file is, where it has to be converted."""
    name = next((n for n, known in FORMATS.items() if known.recognise(weights)), None)
    if name == 'timm' and all(key.startswith(ENCODER) for key in weights):
        return None  # an encoder alone, named as ours
    return None if name in (None, 'plugin') else f'of {FORMATS[name].title}'


def load_encoder(
    encoder: nn.Module,
    path: str,
    prefix: str | None = None,
    allow: Sequence[str] = (),
) -> None:
    """Load a pretrained encoder; every key must be found, none may be left over.

    Args:
        encoder: A :class:`MaskedViT`. A position embedding of another square grid is
            interpolated to its own.
        path: A checkpoint of this plugin (of a pretraining, a finetuned classifier, a
            converted one), or of an encoder alone. Of a run with a moving average of
            the weights (EMAHook) the averaged ones are loaded.
        prefix: Where the encoder's keys stand in it, such as ``'backbone.'``. None
            finds it: ``'backbone.'``, the whole file, ``'module.backbone.'``, ...
        allow: Keys that may be missing, and keep their initial values, or be left over;
            one that ends in a dot stands for all that begin with it. The log says
            which were. Defaults to (): none.

    Raises:
        UserError: if the file cannot be read or does not match; a wrong prefix is
            recognised and the right one named, as is a file to be converted first.
    """
    check(
        bool(path),
        'no checkpoint was given to start from: set model.backbone.init_cfg.checkpoint '
        '(--cfg-options model.backbone.init_cfg.checkpoint=work_dirs/.../epoch_N.pth)',
    )
    weights = state_dict_of(read_checkpoint(path))
    found = _find_prefix(weights)
    prefix = found if prefix is None else prefix
    chosen = {
        key.removeprefix(prefix): value
        for key, value in weights.items()
        if key.startswith(prefix)
    }
    own = encoder.state_dict()
    _resize_position(chosen, encoder)
    advice = 'check that arch, img_size and patch_size are those of the pretraining'
    if LANDMARK not in chosen:
        check(
            found + LANDMARK not in weights,
            f'checkpoint {path} has no encoder under prefix={prefix!r}, but it has '
            f'one under prefix={found!r}: set that in init_cfg',
        )
        advice = 'it is not a checkpoint of this encoder'
    if foreign := _other_code(weights):
        advice = f'it is {foreign}: convert it first with tools/convert_checkpoint.py'
    for key in sorted(own.keys() ^ chosen.keys()):
        if key in allow or any(a.endswith('.') and key.startswith(a) for a in allow):
            what = 'kept as initialised' if key in own else 'left out'
            print_log(f'{key} of {path}: {what}, as allowed', 'current', level=30)
            chosen.pop(key, None)
            own.pop(key, None)
    compare_keys(own, chosen, f'checkpoint {path} (prefix={prefix!r})', advice)
    encoder.load_state_dict(chosen, strict=False)  # what may be missing was allowed
    print_log(f'loaded {len(chosen)} encoder tensors from {path}', 'current')


def load_module(module: nn.Module, path: str, prefix: str | None = None) -> None:
    """Load any backbone, strictly; see :func:`load_encoder` for the arguments."""
    weights = state_dict_of(read_checkpoint(path))
    if prefix is None:
        prefix = 'backbone.' if any(k.startswith('backbone.') for k in weights) else ''
    chosen = {
        key.removeprefix(prefix): value
        for key, value in weights.items()
        if key.startswith(prefix)
    }
    what = f'checkpoint {path} (prefix={prefix!r})'
    compare_keys(module.state_dict(), chosen, what, 'give the checkpoint of this arch')
    module.load_state_dict(chosen)
