"""Decoders: from visible tokens to one token for every masked patch."""

import torch
from mmengine.model import BaseModule
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from ..errors import check
from .layers import (
    LN_EPS,
    Block,
    CrossBlock,
    Latent,
    QueryBlock,
    init_separate_qkv,
    init_transformer,
    sincos_pos_embed,
)
from .masking import Mask
from .patches import Geometry


class Decoder(BaseModule):
    """Base class of the decoders: embedding, mask token, positions, final norm.

    Attention with position embeddings does not depend on the order of its tokens. So
    the decoders do not restore the raster order: the sequence is [extra, visible,
    masked], and the last tokens are the prediction.

    A subclass implements ``reset_parameters`` and ``forward``, and overrides ``choose``
    to predict some of the masked patches only.

    Args:
        geometry: The encoder's geometry (set by the algorithm).
        embed_dims: Width of the decoder.
        init_cfg: As in mmengine. Defaults to None.
    """

    inject: int | None = None  # encoder block whose output the decoder attends to

    def __init__(
        self, geometry: Geometry, embed_dims: int, init_cfg: dict | None = None
    ) -> None:
        super().__init__(init_cfg)
        self.embed_dims = embed_dims
        self.num_extra_tokens = geometry.num_extra_tokens
        self.embed = nn.Linear(geometry.embed_dims, embed_dims)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, embed_dims))
        self.register_buffer(
            'pos_embed',
            sincos_pos_embed(embed_dims, geometry.grid, geometry.num_extra_tokens),
        )
        self.norm = nn.LayerNorm(embed_dims, eps=LN_EPS)

    def reset_parameters(self) -> None:
        """Initialize all weights."""
        raise NotImplementedError

    def choose(self, mask: Mask) -> Mask:
        """Choose the masked patches to predict: all of them, unless overridden.

        Args:
            mask: The mask of the step.

        Returns:
            The mask, with ``chosen`` set where fewer patches are predicted.
        """
        return mask

    def forward(self, latent: Latent, mask: Mask) -> Tensor:
        """Decode the masked patches.

        Args:
            latent: Encoded extra and visible tokens.
            mask: The mask of the encoder, after :meth:`choose`.

        Returns:
            (B, P, embed_dims) tokens, in the order of ``mask.ids_predict``.
        """
        raise NotImplementedError

    def _masked_tokens(self, like: Tensor, mask: Mask) -> Tensor:
        """Return mask tokens (B, P, C) with positions, in the dtype of ``like``."""
        pos_embed = self.pos_embed[0, self.num_extra_tokens :][mask.ids_predict]
        return (self.mask_token + pos_embed).to(like.dtype)


@MODELS.register_module()
class MAEDecoder(Decoder):
    """Self-attention decoder of MAE (He et al. 2021, section 3, "MAE decoder").

    Args:
        geometry: The encoder's geometry (set by the algorithm).
        embed_dims: Width. Defaults to 512.
        depth: Number of blocks. Defaults to 8.
        num_heads: Attention heads. Defaults to 16.
        mlp_ratio: Hidden width of the MLPs over ``embed_dims``. Defaults to 4.
        init_cfg: As in mmengine. Defaults to None.

    Raises:
        UserError: if depth is below 1.
    """

    def __init__(
        self,
        geometry: Geometry,
        embed_dims: int = 512,
        depth: int = 8,
        num_heads: int = 16,
        mlp_ratio: float = 4.0,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(geometry, embed_dims, init_cfg)
        check(depth >= 1, f'depth={depth}: a decoder needs at least one block')
        self.blocks = nn.ModuleList(
            Block(embed_dims, num_heads, mlp_ratio) for _ in range(depth)
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        self.apply(init_transformer)
        nn.init.normal_(self.mask_token, std=0.02)

    def forward(self, latent: Latent, mask: Mask) -> Tensor:
        extra = self.num_extra_tokens
        x = self.embed(latent.tokens)
        # The position is added to all tokens, extra and visible ones included.
        visible = self.pos_embed[0, extra:][mask.ids_keep]  # (B, K, C)
        first = self.pos_embed[:, :extra].expand(len(x), -1, -1)
        x = x + torch.cat([first, visible], dim=1)
        x = torch.cat([x, self._masked_tokens(x, mask)], dim=1)
        *blocks, last = self.blocks
        for block in blocks:
            x = block(x)
        return self.norm(last(x, queries=mask.ids_predict.shape[1]))


@MODELS.register_module()
class CrossAttentionDecoder(Decoder):
    """Decoder of BootMAE: its blocks also attend to the output of an encoder block.

    A block is self-attention, cross-attention to the visible and extra tokens after
    encoder block ``inject`` (without the final norm), and an MLP. The position is added
    to the mask tokens only, as in the public code (Dong et al. 2022).

    Args:
        geometry: The encoder's geometry (set by the algorithm).
        embed_dims: Width. Defaults to 512.
        depth: Number of blocks. Defaults to 2.
        num_heads: Attention heads, of ``embed_dims // num_heads`` channels each. The
            remainder of the division is not used. Defaults to 12.
        mlp_ratio: Hidden width of the MLPs over ``embed_dims``. Defaults to 4.
        inject: Index of the encoder block; -1 is the last. Defaults to -1.
        init_cfg: As in mmengine. Defaults to None.

    Raises:
        UserError: if the encoder has no such block, or depth is below 1.
    """

    def __init__(
        self,
        geometry: Geometry,
        embed_dims: int = 512,
        depth: int = 2,
        num_heads: int = 12,
        mlp_ratio: float = 4.0,
        inject: int = -1,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(geometry, embed_dims, init_cfg)
        check(depth >= 1, f'depth={depth}: a decoder needs at least one block')
        (self.inject,) = geometry.resolve_blocks(inject, 'inject')
        self.blocks = nn.ModuleList(
            CrossBlock(embed_dims, num_heads, geometry.embed_dims, mlp_ratio)
            for _ in range(depth)
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        self.apply(init_transformer)
        self.apply(init_separate_qkv)
        nn.init.trunc_normal_(self.mask_token, std=0.02)

    def forward(self, latent: Latent, mask: Mask) -> Tensor:
        context = latent.blocks[self.inject]
        x = self.embed(latent.tokens)
        x = torch.cat([x, self._masked_tokens(x, mask)], dim=1)
        *blocks, last = self.blocks
        for block in blocks:
            x = block(x, context)
        return self.norm(last(x, context, queries=mask.ids_predict.shape[1]))


@MODELS.register_module()
class CrossMAEDecoder(Decoder):
    """Decoder of CrossMAE: every mask token attends to the encoded tokens alone.

    Mask tokens do not attend to each other, so the decoder may predict a share of the
    masked patches at a proportional cost (Fu et al. 2024, without its weighted sums of
    encoder blocks).

    Args:
        geometry: The encoder's geometry (set by the algorithm).
        embed_dims: Width. Defaults to 512.
        depth: Number of blocks. Defaults to 8.
        num_heads: Attention heads. Defaults to 16.
        mlp_ratio: Hidden width of the MLPs over ``embed_dims``. Defaults to 4.
        predict_ratio: Share of the masked patches to predict, at least one patch,
            drawn anew in every step. Defaults to 1.
        init_cfg: As in mmengine. Defaults to None.

    Raises:
        UserError: if predict_ratio is not in (0, 1].
    """

    def __init__(
        self,
        geometry: Geometry,
        embed_dims: int = 512,
        depth: int = 8,
        num_heads: int = 16,
        mlp_ratio: float = 4.0,
        predict_ratio: float = 1.0,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(geometry, embed_dims, init_cfg)
        check(
            0 < predict_ratio <= 1,
            f'predict_ratio={predict_ratio} is a share of the masked patches: '
            'above 0, up to 1',
        )
        self.predict_ratio = predict_ratio
        self.norm_context = nn.LayerNorm(embed_dims, eps=LN_EPS)
        self.blocks = nn.ModuleList(
            QueryBlock(embed_dims, num_heads, mlp_ratio) for _ in range(depth)
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        self.apply(init_transformer)
        nn.init.normal_(self.mask_token, std=0.02)

    def choose(self, mask: Mask) -> Mask:
        """Choose a share of ``predict_ratio`` of the masked patches at random."""
        masked = mask.ids_mask
        count = max(round(self.predict_ratio * masked.shape[1]), 1)
        if count == masked.shape[1]:
            return mask
        # The order of ids_mask is not random in every masking.
        order = torch.rand(masked.shape, device=masked.device).argsort(dim=1)
        return mask._replace(chosen=masked.gather(1, order[:, :count]))

    def forward(self, latent: Latent, mask: Mask) -> Tensor:
        context = self.norm_context(self.embed(latent.tokens))
        x = self._masked_tokens(context, mask)
        for block in self.blocks:
            x = block(x, context)
        return self.norm(x)
