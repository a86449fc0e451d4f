"""Features of a frozen encoder."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from rich.progress import track
from torch import Tensor, nn

from ..errors import check
from ..models.pooling import check_out_type, pool_tokens


class FeatureSet(NamedTuple):
    """Features of the training and the test images, under one pooling.

    Attributes:
        train: (N, D) float32; (2N, D) with mirrored copies.
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
        pools: Poolings of the tokens (``out_type`` of the encoder). Defaults to the
            mean of the patch tokens.
        block: Block whose output is pooled, from 0. The last block's goes through the
            final norm. Defaults to -1, the last.
        batch_size: Images per batch; the result does not depend on it. Defaults to 500.
        note: Text of a progress bar. Defaults to None: no bar.

    Returns:
        (N, D) float32 on the CPU for every pooling.

    Raises:
        UserError: if a pooling or the block does not fit the encoder.
    """
    for pool in pools:
        check_out_type(pool, encoder.geometry)
        check(
            pool != 'distilled',
            "pool='distilled' gives two vectors, for DeiTClsHead: choose 'cls+dist'",
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
        latent = encoder.encode(normalize(batch.to(device)), blocks=[block])
        tokens = latent.tokens if block == depth - 1 else latent.blocks[block]
        for pool, features in parts.items():
            grid, extra = encoder.geometry.grid, encoder.num_extra_tokens
            features.append(pool_tokens(tokens, pool, grid, extra).float().cpu())
    encoder.train(training)
    return {pool: torch.cat(features) for pool, features in parts.items()}
