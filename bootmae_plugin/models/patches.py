"""Images as grids of patches."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import check


@dataclass(frozen=True)  # a NamedTuple does not survive mmengine's ConfigDict
class Geometry:
    """Sizes of an encoder that decoders, heads and teachers have to know.

    Attributes:
        img_size: Image size in pixels as (height, width).
        patch_size: Side of a patch in pixels.
        in_channels: Image channels.
        embed_dims: Width of the tokens.
        num_layers: Number of transformer blocks.
        num_extra_tokens: Tokens in front of the patches (class token, ...).
    """

    img_size: tuple[int, int]
    patch_size: int
    in_channels: int
    embed_dims: int
    num_layers: int
    num_extra_tokens: int

    @property
    def grid(self) -> tuple[int, int]:
        """Patches as (rows, columns)."""
        return grid_of(self.img_size, self.patch_size)

    @property
    def num_patches(self) -> int:
        """Number of patches of an image."""
        rows, cols = self.grid
        return rows * cols

    def resolve_blocks(
        self, indices: int | Sequence[int], option: str
    ) -> tuple[int, ...]:
        """Return indices of blocks, counted from 0; -1 is the last block.

        Args:
            indices: One index or several.
            option: Name of the option, for the error message.

        Raises:
            UserError: if the encoder has no such block.
        """
        number = self.num_layers
        several = [indices] if isinstance(indices, int) else list(indices)
        unknown = [index for index in several if not -number <= index < number]
        check(
            not unknown,
            f'{option}={indices}: the encoder has no block {unknown}, only blocks 0 to '
            f'{number - 1} (-1 is the last)',
        )
        return tuple(index % number for index in several)


def grid_of(img_size: tuple[int, int], patch_size: int) -> tuple[int, int]:
    """Return the patches of an image as (rows, columns).

    Raises:
        UserError: if a side of the image is not a multiple of the patch size.
    """
    h, w = img_size
    check(
        h % patch_size == 0 and w % patch_size == 0 and h > 0 and w > 0,
        f'image size {h}x{w} is not divisible by patch_size={patch_size}: '
        'resize the images or choose a patch size that divides both sides',
    )
    return h // patch_size, w // patch_size


def patchify(images: Tensor, patch_size: int) -> Tensor:
    """Cut (B, C, H, W) into (B, L, p * p * C), channels last in a patch as in MAE."""
    b, c, h, w = images.shape
    p = patch_size
    x = images.reshape(b, c, h // p, p, w // p, p)
    return x.permute(0, 2, 4, 3, 5, 1).reshape(b, -1, p * p * c)


def unpatchify(patches: Tensor, grid: tuple[int, int], patch_size: int) -> Tensor:
    """Invert :func:`patchify`: (B, L, p * p * C) -> (B, C, H, W)."""
    rows, cols = grid
    p = patch_size
    x = patches.reshape(len(patches), rows, cols, p, p, -1)
    return x.permute(0, 5, 1, 3, 2, 4).reshape(len(patches), -1, rows * p, cols * p)


def gather_tokens(x: Tensor, ids: Tensor) -> Tensor:
    """Pick tokens: (B, L, C) and indices (V * B, N) -> (V * B, N, C).

    With V > 1 the indices are V views of the batch, one after another.
    """
    views = ids.unflatten(0, (-1, len(x)))[..., None]  # (V, B, N, 1)
    x = x.expand(len(views), -1, -1, -1)  # no copy
    return x.gather(2, views.expand(-1, -1, -1, x.shape[-1])).flatten(0, 1)


class PatchEmbed(nn.Module):
    """Linear projection of patches to tokens, of all patches or of the visible ones.

    Args:
        in_channels: Image channels C.
        embed_dims: Width D of the tokens.
        patch_size: Side of a patch in pixels.
    """

    def __init__(self, in_channels: int, embed_dims: int, patch_size: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(in_channels, embed_dims, patch_size, patch_size)

    def forward(self, images: Tensor, ids_keep: Tensor | None = None) -> Tensor:
        """Project (B, C, H, W) to (B, L, D), or to (V * B, K, D) with ``ids_keep``.

        Args:
            images: (B, C, H, W) normalized images.
            ids_keep: (V * B, K) visible patches of V views. Defaults to None: all.
        """
        proj = self.proj
        if ids_keep is None:
            return proj(images).flatten(2).transpose(1, 2)
        pixels = F.unfold(images, proj.kernel_size, stride=proj.stride)
        pixels = gather_tokens(pixels.transpose(1, 2), ids_keep)
        return F.linear(pixels, proj.weight.flatten(1), proj.bias)
