"""Decoders: from visible tokens to one token for every masked patch."""

import torch
from mmengine.model import BaseModule
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from .layers import LN_EPS, Block, Geometry, init_transformer, sincos_position
from .masking import Mask


@MODELS.register_module()
class MAEDecoder(BaseModule):
    """Self-attention decoder of MAE (He et al. 2021, section 3).

    Attention does not depend on the order of its tokens once the position embedding is
    added, so nothing is unshuffled: the sequence is [extra, visible, masked] and the
    masked tokens are its end.

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
        super().__init__(init_cfg)
        self.embed_dims = embed_dims
        self.num_extra_tokens = geometry.num_extra_tokens
        self.embed = nn.Linear(geometry.embed_dims, embed_dims)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, embed_dims))
        self.register_buffer(
            'pos_embed',
            sincos_position(embed_dims, geometry.grid, geometry.num_extra_tokens),
        )
        self.blocks = nn.ModuleList(
            Block(embed_dims, num_heads, mlp_ratio) for _ in range(depth)
        )
        self.norm = nn.LayerNorm(embed_dims, eps=LN_EPS)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialise as MAE does."""
        self.apply(init_transformer)
        nn.init.normal_(self.mask_token, std=0.02)

    def forward(self, latent: Tensor, mask: Mask) -> Tensor:
        """Decode the masked patches.

        Args:
            latent: (B, E + K, D) encoded extra and visible tokens.
            mask: The mask they were encoded with.

        Returns:
            (B, M, embed_dims), in the order of ``mask.ids_mask``.
        """
        num_extra, num_masked = self.num_extra_tokens, mask.ids_mask.shape[1]
        x = self.embed(latent)
        mask_tokens = self.mask_token.to(x.dtype).expand(len(x), num_masked, -1)
        x = torch.cat([x, mask_tokens], dim=1)
        place = torch.cat([mask.ids_keep, mask.ids_mask], dim=1)  # (B, L)
        patches = self.pos_embed[0, num_extra:][place]  # (B, L, C)
        extra = self.pos_embed[:, :num_extra].expand(len(x), -1, -1)
        x = x + torch.cat([extra, patches], dim=1)
        for block in self.blocks:
            x = block(x)
        return self.norm(x[:, -num_masked:])
