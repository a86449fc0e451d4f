"""Check ``--cfg-options``: a key that nothing reads is refused."""

import difflib
import inspect
from collections.abc import Iterator
from typing import Any

from mmengine import registry as registries
from mmengine.config import Config
from mmengine.runner import FlexibleRunner, Runner
from torch import nn
from torch.utils.data import DataLoader

from ..errors import UserError, check


def parameters(function: Any) -> set[str] | None:
    """Names of the arguments, followed through ``**kwargs`` to the base classes.

    None if the last one takes any name, too.
    """
    names: set[str] = set()
    bases = function.__mro__ if inspect.isclass(function) else [None]
    for base in bases:
        if base is nn.Module:  # its signature is open
            return None
        if base is not None and '__init__' not in vars(base):
            continue
        code = function if base is None else base.__init__
        try:
            signature = inspect.signature(code).parameters.values()
        except ValueError:  # written in C
            return None
        kinds = {p.name: p.kind for p in signature}
        variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        names |= {name for name, kind in kinds.items() if kind not in variadic}
        if inspect.Parameter.VAR_KEYWORD not in kinds.values():
            return names - {'self'}
    return None


# What the runners read besides the arguments of their constructors.
RUNNER_KEYS = {
    *parameters(Runner),
    *parameters(FlexibleRunner),
    'activation_checkpointing',
    'compile',
    'efficient_conv_bn_eval',
    'find_unused_parameters',
    'model_wrapper_cfg',
    'runner_type',
    'sync_bn',
} - {'cfg'}

# Keys of the dicts without a class; most of their readers ignore any other key.
LOADER_KEYS = parameters(DataLoader) | {'num_batch_per_epoch', 'type'}
READ_KEYS = {
    'train_dataloader': LOADER_KEYS,
    'val_dataloader': LOADER_KEYS,
    'test_dataloader': LOADER_KEYS,
    'auto_scale_lr': {'enable', 'base_batch_size', 'rule'},
    'env_cfg': {'cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit'},
    'env_cfg.mp_cfg': {'mp_start_method', 'opencv_num_threads'},
    'randomness': {'seed', 'diff_rank_seed', 'deterministic'},
    'optim_wrapper.paramwise_cfg': {
        *('custom_keys', 'bias_lr_mult', 'bias_decay_mult', 'norm_decay_mult'),
        *('flat_decay_mult', 'dwconv_decay_mult', 'dcn_offset_lr_mult'),
        *('bypass_duplicate', 'layer_decay_rate'),
    },
}

# Keys that mmengine takes out of a dict before it builds the class.
FRAMEWORK_KEYS = {
    *('type', '_scope_', '_delete_', 'priority', 'convert_to_iter_based', 'by_epoch'),
    *('constructor', 'paramwise_cfg', 'optimizer', 'name', 'init_cfg'),
}

# Where a ``type`` of a config can be registered.
REGISTRIES = (
    *(registries.MODELS, registries.DATASETS, registries.TRANSFORMS),
    *(registries.DATA_SAMPLERS, registries.HOOKS, registries.LOOPS),
    *(registries.OPTIMIZERS, registries.OPTIM_WRAPPERS, registries.PARAM_SCHEDULERS),
    *(registries.METRICS, registries.EVALUATOR, registries.LOG_PROCESSORS),
    *(registries.VISUALIZERS, registries.VISBACKENDS),
)


def check_options(cfg: Config, merged: Config, options: dict[str, Any]) -> None:
    """Raise :class:`UserError` for the first key that nothing reads.

    Where nobody can tell (a class that passes all its arguments on, a dict without a
    class), the key is accepted: if its class refuses it, building says so.

    Args:
        cfg: The config as its file gives it.
        merged: The config with the options, whose classes are those that are built.
        options: Values by dotted key.
    """
    for key in options:
        first = key.partition('.')[0]
        if first not in cfg and first not in RUNNER_KEYS:
            keys = [*dotted_keys(cfg), *sorted(RUNNER_KEYS)]
            raise UserError(f'--cfg-options {key}: nothing reads it{advice(key, keys)}')
        _check_nested(cfg, merged, key)


def _check_nested(cfg: Config, merged: Config, key: str) -> None:
    """Follow a key to the first dict that lacks it; ask whether that takes it."""
    parts, old, new = key.split('.'), cfg, merged
    for level, part in enumerate(parts):
        old, path = _child(old, part), '.'.join(parts[: level + 1])
        if level and isinstance(new, dict) and old is None:
            owner = '.'.join(parts[:level])
            known = READ_KEYS.get(owner) or accepted_keys(new, owner, merged)
            check(
                known is None or part in known | FRAMEWORK_KEYS,
                f'--cfg-options {key}: {new.get("type", owner)} takes no {part}'
                + advice(path, [f'{owner}.{name}' for name in sorted(known or ())]),
            )
        new = _child(new, part)


def _child(container: Any, part: str) -> Any:
    """Entry of a dict or list; None where there is none."""
    if isinstance(container, (list, tuple)) and part.isdigit():
        return container[int(part)] if int(part) < len(container) else None
    return container.get(part) if hasattr(container, 'get') else None


def accepted_keys(settings: dict, path: str, cfg: Config) -> set[str] | None:
    """Arguments of the class of a dict; None where nobody can tell."""
    # An encoder reads its init_cfg itself, with keys that mmengine's class lacks.
    if 'type' not in settings or path.endswith('init_cfg'):
        return None
    function = find_class(settings['type'], cfg.get('default_scope', 'mmengine'))
    return parameters(function) if function is not None else None


def find_class(name: Any, scope: str) -> Any:
    """Return the class or function of a ``type``; None if unknown or ambiguous."""
    if not isinstance(name, str):
        return name
    found = []
    for root in REGISTRIES:
        with root.switch_scope_and_registry(scope) as registry:
            try:
                entry = registry.get(name)
            except Exception:  # a dotted name of a module that is missing
                return None
        if entry is not None and entry not in found:
            found.append(entry)
    return found[0] if len(found) == 1 else None


def dotted_keys(settings: dict, prefix: str = '') -> Iterator[str]:
    """Dotted keys of a config, dicts before their content."""
    for key, value in settings.items():
        yield f'{prefix}{key}'
        if isinstance(value, dict):
            yield from dotted_keys(value, f'{prefix}{key}.')


def advice(key: str, keys: list[str]) -> str:
    """Return '; did you mean ...?' with the nearest key, or ''."""
    last = key.rpartition('.')[2]
    by_last: dict[str, str] = {}
    for known in sorted(keys, key=lambda k: k.count('.')):
        by_last.setdefault(known.rpartition('.')[2], known)
    near = difflib.get_close_matches(last, by_last, n=1)
    return f'; did you mean {by_last[near[0]]}?' if near else ''
