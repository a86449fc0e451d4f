"""Features of a frozen encoder."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from rich.progress import track
from torch import Tensor, nn

from ..errors import check
from ..models.pooling import check_out_type, pool_tokens

# Forms of an encoder's output that are not one vector per image.
NO_VECTOR = ('raw', 'featmap', 'distilled')


class FeatureSet(NamedTuple):
    """Features of the training and the test images, under one pooling.

    The features of an image are a vector (D,), or tokens (L, D) for a probe that learns
    how to pool them.

    Attributes:
        train: (N, D) or (N, L, D) float32; 2N rows with mirrored copies, which follow
            the originals.
        train_labels: (N,) or (2N,) long.
        test: (M, D) or (M, L, D) float32.
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
    normalize: Callable[[Tensor], Tensor],
    pools: Sequence[str] = ('avg',),
    block: int = -1,
    batch_size: int = 500,
    note: str | None = None,
) -> dict[str, Tensor]:
    """Encode every image once, without a mask and without augmentation.

    Args:
        encoder: A :class:`MaskedViT`. It runs in eval mode; its mode is restored.
        images: (N, 3, H, W) uint8.
        normalize: Turns a batch of images into the encoder's input.
        pools: Poolings of the tokens: an ``out_type`` of the encoder, or 'last4', the
            mean patch tokens of the last four blocks, each after the final norm, side
            by side (as in DINO's linear evaluation, Caron et al. 2021, which takes
            class tokens). Defaults to the mean of the patch tokens.
        block: Block whose output is pooled, from 0; of 'last4' the last of the four.
            The last block's goes through the final norm. Defaults to -1, the last.
        batch_size: Images per batch; the result does not depend on it. Defaults to 500.
        note: Text of a progress bar. Defaults to None: no bar.

    Returns:
        (N, D) float32 on the CPU for every pooling.

    Raises:
        UserError: if a pooling or the block does not fit the encoder.
    """
    block, training = _check_pools(encoder, pools, block), encoder.training
    grid, extra = encoder.geometry.grid, encoder.num_extra_tokens
    last = encoder.num_layers - 1

    def pooled(tokens: Tensor, pool: str) -> Tensor:
        return pool_tokens(tokens, pool, grid, extra)

    device = next(encoder.parameters()).device
    parts: dict[str, list[Tensor]] = {pool: [] for pool in pools}
    encoder.eval()
    batches = images.split(batch_size)
    blocks = range(block - 3, block + 1) if 'last4' in pools else [block]
    for batch in track(batches, note or '', disable=note is None, transient=True):
        latent = encoder.encode(normalize(batch.to(device)), blocks=blocks)
        tokens = latent.tokens if block == last else latent.blocks[block]
        for pool, features in parts.items():
            if pool == 'last4':
                means = [pooled(encoder.norm(latent.blocks[i]), 'avg') for i in blocks]
                features.append(torch.cat(means, dim=1).float().cpu())
            else:
                features.append(pooled(tokens, pool).float().cpu())
    encoder.train(training)
    return {pool: torch.cat(features) for pool, features in parts.items()}


def _check_pools(encoder: nn.Module, pools: Sequence[str], block: int) -> int:
    """Check that the encoder has the poolings and the block; return its index."""
    for pool in pools:
        check(
            pool not in NO_VECTOR,
            f'pool={pool!r} is not one vector per image: choose avg, grid2x2, cls, '
            "'cls+dist', flatten, flatten_all or last4",
        )
        if pool != 'last4':
            check_out_type(pool, encoder.geometry)
    depth = encoder.num_layers
    check(
        -depth <= block < depth,
        f'block={block}, but the encoder has blocks 0 to {depth - 1} (-1 is the last)',
    )
    check(
        'last4' not in pools or block % depth >= 3,
        f"pool='last4' takes four blocks, but there are {block % depth + 1} up to "
        f'block {block % depth}: leave it out',
    )
    return block % depth
