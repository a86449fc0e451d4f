"""Features of a frozen encoder, extracted once and cached on disk."""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from rich.progress import track
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ..errors import UserError, check
from ..models.pooling import check_out_type, pool_tokens


class FeatureSet(NamedTuple):
    """Features of the training and the test images.

    Attributes:
        train: (N, D) float32, with flipped copies (2N, D).
        train_labels: (N,) or (2N,) long.
        test: (M, D) float32.
        test_labels: (M,) long.
    """

    train: Tensor
    train_labels: Tensor
    test: Tensor
    test_labels: Tensor


@torch.no_grad()
def extract_features(
    encoder: nn.Module,
    images: Tensor,
    normalise: Callable[[Tensor], Tensor],
    pools: Sequence[str] = ('avg',),
    block: int = -1,
    batch_size: int = 500,
    note: str | None = None,
) -> dict[str, Tensor]:
    """Encode images, each once, unmasked and not augmented.

    Args:
        encoder: A :class:`MaskedViT`; it is put into eval mode and back.
        images: (N, 3, H, W) uint8.
        normalise: From a batch of them to the encoder's input.
        pools: Names of poolings (``out_type`` of the encoder).
        block: The block whose output is pooled; the last one's is normed. Defaults to
            -1, the last.
        batch_size: Images at a time; the result does not depend on it.
        note: Text of a progress bar. Defaults to None: no bar.

    Returns:
        (N, D) float32 for every pooling, on the CPU.

    Raises:
        UserError: if a pooling or the block does not fit the encoder.
    """
    for pool in pools:
        check_out_type(pool, encoder.geometry)
        check(
            pool != 'distilled',
            "pool='distilled' is two vectors, for DeiTClsHead: take 'cls+dist'",
        )
    depth = encoder.num_layers
    check(
        -depth <= block < depth,
        f'block={block}, but the encoder has blocks 0 to {depth - 1} (-1 is the last)',
    )
    block, training = block % depth, encoder.training
    device = next(encoder.parameters()).device
    parts: dict[str, list[Tensor]] = {pool: [] for pool in pools}
    encoder.eval()
    batches = images.split(batch_size)
    for batch in track(batches, note or '', disable=note is None, transient=True):
        latent = encoder.encode(normalise(batch.to(device)), blocks=[block])
        tokens = latent.tokens if block == depth - 1 else latent.blocks[block]
        for pool, features in parts.items():
            grid, extra = encoder.geometry.grid, encoder.num_extra_tokens
            features.append(pool_tokens(tokens, pool, grid, extra).float().cpu())
    encoder.train(training)
    return {pool: torch.cat(features) for pool, features in parts.items()}


def cache_key(weights: dict[str, Tensor], images: Tensor, **settings) -> str:
    """A name that differs for other weights, images or settings."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for name, value in sorted(weights.items()):
        digest.update(f'{name}{tuple(value.shape)}{value.dtype}'.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    digest.update(f'{tuple(images.shape)}'.encode())
    digest.update(images.contiguous().numpy().tobytes())
    return digest.hexdigest()[:24]


def load_features(
    folder: str | Path,
    keys: dict[str, str],
    make: Callable[[list[str]], dict[str, Tensor]],
) -> dict[str, Tensor]:
    """Features from the cache; what is not there is made, all at once, and put there.

    A cache that an interrupted extraction or a full disk left broken is made again,
    and that is said.

    Args:
        folder: Of the cache.
        keys: The :func:`cache_key` of each pooling.
        make: Extracts the poolings that it is given.

    Raises:
        UserError: if the cache cannot be written.
    """
    paths = {pool: Path(folder) / f'{key}.safetensors' for pool, key in keys.items()}
    found = {pool: _read(path) for pool, path in paths.items()}
    missing = [pool for pool, features in found.items() if features is None]
    made = make(missing) if missing else {}
    for pool in missing:
        path = paths[pool]
        partial = path.with_suffix('.partial')
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            save_file({'features': made[pool].contiguous()}, partial)
        except OSError as error:
            raise UserError(
                f'the features cannot be written to {partial} ({error}): make room, or '
                'choose another --cache'
            ) from error
        partial.replace(path)
    return {pool: made.get(pool, features) for pool, features in found.items()}


def _read(path: Path) -> Tensor | None:
    """A cached tensor, or None; what is broken is removed and named."""
    partial = path.with_suffix('.partial')
    if partial.exists():
        print(f'{partial} is of an interrupted extraction: made again')
        partial.unlink()
    if not path.exists():
        return None
    try:
        return load_file(path)['features']
    except (SafetensorError, OSError, KeyError) as error:
        print(f'{path} is damaged ({error}): made again')
        path.unlink()
        return None
