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
    """What the decoders share: embedding, mask token, positions, final norm.

    Attention does not depend on the order of its tokens once the position embedding is
    added, so nothing is unshuffled: the sequence is [extra, visible, masked] and the
    masked tokens are its end.

    Args:
        geometry: The encoder's geometry (the algorithm gives it).
        embed_dims: Width of the decoder.
        init_cfg: As in mmengine. Defaults to None.
    """

    inject: int | None = None  # the encoder block whose output it attends to

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
        """Start from new weights."""
        raise NotImplementedError

    def choose(self, mask: Mask) -> Mask:
        """Choose the patches that are predicted: all masked ones, unless overridden."""
        return mask

    def forward(self, latent: Latent, mask: Mask) -> Tensor:
        """Decode the masked patches.

        Args:
            latent: The encoded extra and visible tokens.
            mask: The mask they were encoded with, after :meth:`choose`.

        Returns:
            (B, P, embed_dims), in the order of ``mask.ids_predict``.
        """
        raise NotImplementedError

    def _masked_tokens(self, like: Tensor, mask: Mask) -> Tensor:
        """The mask token at every predicted place, position added: (B, P, C)."""
        place = self.pos_embed[0, self.num_extra_tokens :][mask.ids_predict]
        return (self.mask_token + place).to(like.dtype)


@MODELS.register_module()
class MAEDecoder(Decoder):
    """Self-attention decoder of MAE (He et al. 2021, section 3).

    Args:
        geometry: The encoder's geometry (the algorithm gives it).
        embed_dims: Width. Defaults to 512.
        depth: Number of blocks. Defaults to 8.
        num_heads: Attention heads. Defaults to 16.
        mlp_ratio: Hidden width of the MLPs over ``embed_dims``. Defaults to 4.
        init_cfg: As in mmengine. Defaults to None.
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
        check(depth >= 1, f'depth={depth}: a decoder has at least one block')
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
        # Every token has its position, the visible ones and the extra ones too.
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
    """BootMAE's decoder: blocks that also attend to an injected encoder block.

    Self-attention, cross-attention to the visible tokens as they leave block ``inject``
    (before the final norm), MLP. The position is added to the mask tokens only (Dong et
    al. 2022, section 3.3 and the public code).

    Args:
        geometry: The encoder's geometry (the algorithm gives it).
        embed_dims: Width. Defaults to 512.
        depth: Number of blocks. Defaults to 2.
        num_heads: Attention heads, of ``embed_dims // num_heads`` channels each; what
            is left over of ``embed_dims`` is left out. Defaults to 12.
        mlp_ratio: Hidden width of the MLPs over ``embed_dims``. Defaults to 4.
        inject: Encoder block, -1 is the last. Defaults to -1.
        init_cfg: As in mmengine. Defaults to None.

    Raises:
        UserError: if there is no such block.
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
        layers = geometry.num_layers
        check(
            -layers <= inject < layers,
            f'inject={inject} names no block of the encoder, which has blocks 0 to '
            f'{layers - 1} (-1 is the last)',
        )
        check(depth >= 1, f'depth={depth}: a decoder has at least one block')
        self.inject = inject % layers
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
    """Cross-attention alone: every predicted patch looks at the encoded tokens only.

    Predictions do not look at each other, so a share of the masked patches can be left
    out at a proportional saving (Fu et al. 2024, CrossMAE; without its weighted sums of
    encoder blocks).

    Args:
        geometry: The encoder's geometry (the algorithm gives it).
        embed_dims: Width. Defaults to 512.
        depth: Number of blocks. Defaults to 8.
        num_heads: Attention heads. Defaults to 16.
        mlp_ratio: Hidden width of the MLPs over ``embed_dims``. Defaults to 4.
        predict_ratio: Share of the masked patches that is predicted, drawn at random in
            every step (at least one). Defaults to 1.
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
        masked = mask.ids_mask
        count = max(round(self.predict_ratio * masked.shape[1]), 1)
        if count == masked.shape[1]:
            return mask
        # Maskings differ in whether the order of ids_mask is random.
        order = torch.rand(masked.shape, device=masked.device).argsort(dim=1)
        return mask._replace(chosen=masked.gather(1, order[:, :count]))

    def forward(self, latent: Latent, mask: Mask) -> Tensor:
        context = self.norm_context(self.embed(latent.tokens))
        x = self._masked_tokens(context, mask)
        for block in self.blocks:
            x = block(x, context)
        return self.norm(x)
