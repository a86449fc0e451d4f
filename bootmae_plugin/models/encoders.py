"""Vision transformer encoders that run masked and unmasked with the same weights."""

from collections.abc import Collection, Sequence

import torch
from mmengine.utils import to_2tuple
from mmpretrain.models.backbones.base_backbone import BaseBackbone
from mmpretrain.models.utils import resize_pos_embed
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from ..checkpoints.load import load_encoder
from ..errors import check
from .layers import (
    LN_EPS,
    Block,
    Latent,
    init_separate_qkv,
    init_transformer,
    sincos_pos_embed,
)
from .masking import Mask
from .patches import Geometry, PatchEmbed, grid_of
from .pooling import check_out_type, pool_tokens

ARCH_KEYS = ('embed_dims', 'num_layers', 'num_heads')


@MODELS.register_module()
class MaskedViT(BaseBackbone):
    """Vision transformer with a class token (Dosovitskiy et al. 2020), as in MAE.

    Args:
        arch: A name in ``arch_zoo``, or a dict with ``embed_dims``, ``num_layers``,
            ``num_heads`` and optionally ``mlp_ratio`` (4).
        img_size: Height and width in pixels, or one number for both.
        patch_size: Side of a patch in pixels. Defaults to 16.
        in_channels: Image channels. Defaults to 3.
        pos_embed: 'sincos' (fixed, MAE) or 'learnable' (DeiT). Defaults to 'sincos'.
        init: 'mae' (default), or 'bootmae': q, k and v initialised as matrices of their
            own, extra tokens near zero.
        drop_path_rate: Stochastic depth of the last block, growing linearly from 0.
        out_indices: Blocks whose output ``forward`` returns. Defaults to -1, the last.
        out_type: What is returned of them: 'raw' tokens (B, E + L, D), 'featmap'
            (B, D, rows, cols), 'avg' (mean of the patch tokens), 'cls', 'cls+dist',
            'distilled' (the pair of class and distillation token, each (B, D), that
            mmpretrain's ``DeiTClsHead`` takes), 'flatten' (all patch tokens) or
            'flatten_all' (all tokens); 'flatten64' and 'flatten66' say the number of
            tokens and are checked. Defaults to 'avg'.
        final_norm: Apply the final norm to the last block's output in ``forward``; a
            head with a norm of its own does without (:class:`NormNeck`). Defaults to
            True.
        frozen_stages: The first n blocks, and all before them, are not trained and stay
            in eval mode; 0 freezes the embedding alone, ``num_layers`` all of it.
            Defaults to -1: none.
        init_cfg: ``dict(type='Pretrained', checkpoint=...)`` loads an encoder; every
            one of its keys must be found. ``prefix`` and ``allow``, which names the
            keys that need not, as in :func:`load_encoder`.

    Raises:
        UserError: on an unknown arch, out_type or size that does not fit.
    """

    extra_token_names = ('cls_token',)
    arch_zoo = {
        'vit-tiny': dict(embed_dims=192, num_layers=12, num_heads=3),
        'vit-small': dict(embed_dims=384, num_layers=12, num_heads=6),
        'vit-base': dict(embed_dims=768, num_layers=12, num_heads=12),
        'vit-large': dict(embed_dims=1024, num_layers=24, num_heads=16),
    }

    def __init__(
        self,
        arch: str | dict,
        img_size: int | tuple[int, int] = 224,
        patch_size: int = 16,
        in_channels: int = 3,
        pos_embed: str = 'sincos',
        init: str = 'mae',
        drop_path_rate: float = 0.0,
        out_indices: int | Sequence[int] = -1,
        out_type: str = 'avg',
        final_norm: bool = True,
        frozen_stages: int = -1,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        arch = self._arch(arch)
        self.num_extra_tokens = len(self.extra_token_names)
        self.embed_dims = dim = arch['embed_dims']
        self.num_layers = depth = arch['num_layers']
        self.geometry = Geometry(
            to_2tuple(img_size),
            patch_size,
            in_channels,
            embed_dims=dim,
            num_layers=depth,
            num_extra_tokens=self.num_extra_tokens,
        )
        check_out_type(out_type, self.geometry)
        self.out_type = out_type
        self.out_indices = self._out_indices(out_indices)
        self.final_norm, self.frozen_stages = final_norm, frozen_stages

        self.patch_embed = PatchEmbed(in_channels, dim, patch_size)
        for name in self.extra_token_names:
            self.register_parameter(name, nn.Parameter(torch.zeros(1, 1, dim)))
        check(
            pos_embed in ('sincos', 'learnable'),
            f"unknown pos_embed={pos_embed!r}: choose 'sincos' or 'learnable'",
        )
        check(
            init in ('mae', 'bootmae'),
            f"unknown init={init!r}: choose 'mae' or 'bootmae'",
        )
        self.init = init
        self.pos_embed = nn.Parameter(
            torch.zeros(1, self.num_extra_tokens + self.geometry.num_patches, dim),
            requires_grad=pos_embed == 'learnable',
        )
        drop_path = torch.linspace(0, drop_path_rate, depth).tolist()
        self.blocks = nn.ModuleList(
            Block(dim, arch['num_heads'], arch.get('mlp_ratio', 4.0), rate)
            for rate in drop_path
        )
        self.norm = nn.LayerNorm(dim, eps=LN_EPS)
        self.reset_parameters()
        self._freeze()

    def _arch(self, arch: str | dict) -> dict:
        if isinstance(arch, str):
            check(
                arch in self.arch_zoo,
                f'unknown arch={arch!r} of {type(self).__name__}: choose one of '
                f'{sorted(self.arch_zoo)} or give a dict with the keys {ARCH_KEYS}',
            )
            return self.arch_zoo[arch]
        missing = [key for key in ARCH_KEYS if key not in arch]
        unknown = [key for key in arch if key not in (*ARCH_KEYS, 'mlp_ratio')]
        check(
            not missing and not unknown,
            f'arch={dict(arch)} needs the keys {ARCH_KEYS} and optionally mlp_ratio; '
            f'missing {missing}, unknown {unknown}',
        )
        return arch

    def _out_indices(self, indices: int | Sequence[int]) -> tuple[int, ...]:
        indices = [indices] if isinstance(indices, int) else list(indices)
        depth = self.num_layers
        for index in indices:
            check(
                -depth <= index < depth,
                f'out_indices={indices} names block {index}, but the encoder has '
                f'blocks 0 to {depth - 1}',
            )
        return tuple(index % depth for index in indices)

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Start from new weights; a learnable position embedding starts as sin-cos."""
        self.apply(init_transformer)
        if self.init == 'bootmae':
            self.apply(init_separate_qkv)
        for token in self.extra_tokens():
            nn.init.normal_(token, std=0.02 if self.init == 'mae' else 1e-6)
        geometry = self.geometry
        self.pos_embed.copy_(
            sincos_pos_embed(
                geometry.embed_dims, geometry.grid, geometry.num_extra_tokens
            )
        )

    def init_weights(self) -> None:
        """Load ``init_cfg``'s checkpoint, strictly, if there is one."""
        cfg = self.init_cfg
        if isinstance(cfg, dict) and cfg.get('type') == 'Pretrained':
            if not self.is_init:
                options = {k: cfg[k] for k in ('prefix', 'allow') if k in cfg}
                load_encoder(self, cfg['checkpoint'], **options)
                self.is_init = True
        else:
            super().init_weights()

    def extra_tokens(self) -> list[nn.Parameter]:
        """The tokens in front of the patches, in order."""
        return [getattr(self, name) for name in self.extra_token_names]

    def embed(self, images: Tensor, mask: Mask | None = None) -> Tensor:
        """Turn images into tokens with their position embedding.

        Args:
            images: (B, C, H, W) normalized images of any size.
            mask: Which patches are visible, of V views of each image. Defaults to None:
                all patches.

        Returns:
            (B, E + L, D), with a mask (V * B, E + K, D); extra tokens come first.
        """
        extra = self.num_extra_tokens
        grid = grid_of(tuple(images.shape[-2:]), self.geometry.patch_size)
        pos_embed = resize_pos_embed(
            self.pos_embed, self.geometry.grid, grid, num_extra_tokens=extra
        )[0]
        if mask is None:
            x = self.patch_embed(images) + pos_embed[extra:]
        else:
            x = self.patch_embed(images, mask.ids_keep)
            x = x + pos_embed[extra:][mask.ids_keep]
        # Expand each token by itself. A joint tensor would give the tokens gradients
        # with other strides than theirs, which DistributedDataParallel has to copy.
        first = [
            (token + position).to(x.dtype).expand(len(x), -1, -1)
            for token, position in zip(self.extra_tokens(), pos_embed, strict=False)
        ]
        return torch.cat([*first, x], dim=1)

    def encode(
        self,
        images: Tensor,
        mask: Mask | None = None,
        blocks: Collection[int] = (),
        patches_only: bool = False,
    ) -> Latent:
        """Encode the visible patches (all of them without a mask).

        Args:
            images: (B, C, H, W) normalised.
            mask: Which patches are visible. Defaults to None: all.
            blocks: Indices of blocks whose output is wanted, too.
            patches_only: The last block gives no extra tokens (a teacher's are not
                used). Defaults to False.

        Returns:
            (B, E + K, D) tokens masked, (B, E + L, D) unmasked; E is 0 with
            ``patches_only``.
        """
        x, outputs = self.embed(images, mask), {}
        for i, block in enumerate(self.blocks):
            last = i == self.num_layers - 1
            wanted = x.shape[1] - self.num_extra_tokens
            x = block(x, wanted if patches_only and last else None)
            if i in blocks:
                outputs[i] = x
        return Latent(self.norm(x), outputs)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Unmasked features of the blocks in ``out_indices``, shaped by ``out_type``.

        The final norm is applied to the last block's output, unless switched off.
        """
        grid = grid_of(tuple(images.shape[-2:]), self.geometry.patch_size)
        # A frozen encoder needs no graph.
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self._all_frozen):
            tokens, features = self.encode(images, blocks=self.out_indices)
        if self.final_norm:
            features[self.num_layers - 1] = tokens
        return tuple(
            pool_tokens(features[i], self.out_type, grid, self.num_extra_tokens)
            for i in self.out_indices
        )

    @property
    def _all_frozen(self) -> bool:
        return self.frozen_stages >= self.num_layers

    def _frozen_modules(self) -> list[nn.Module]:
        if self.frozen_stages < 0:
            return []
        frozen = [self.patch_embed, *self.blocks[: self.frozen_stages]]
        return [*frozen, self.norm] if self._all_frozen else frozen

    def _freeze(self) -> None:
        if not self.final_norm:
            self.norm.requires_grad_(False)  # kept to load, not used
        if self.frozen_stages < 0:
            return
        check(
            self.frozen_stages <= self.num_layers,
            f'frozen_stages={self.frozen_stages}, but the encoder has '
            f'{self.num_layers} blocks: choose 0 to {self.num_layers}, or -1 for none',
        )
        self.pos_embed.requires_grad_(False)
        for token in self.extra_tokens():
            token.requires_grad_(False)
        for module in self._frozen_modules():
            module.requires_grad_(False)

    def train(self, mode: bool = True) -> 'MaskedViT':
        super().train(mode)
        for module in self._frozen_modules():
            module.eval()
        return self

    def get_layer_depth(self, param_name: str, prefix: str = '') -> tuple[int, int]:
        """Depth of a parameter for layer-wise learning-rate decay: (depth, number).

        The embeddings are layer 0, block i is layer i + 1, the final norm and all that
        follows the encoder the last.
        """
        num = self.num_layers + 2
        name = param_name.removeprefix(prefix)
        if not param_name.startswith(prefix):
            return num - 1, num
        if name.startswith('blocks.'):
            return int(name.split('.')[1]) + 1, num
        return (num - 1 if name.startswith('norm.') else 0), num


@MODELS.register_module()
class MaskedDeiT(MaskedViT):
    """DeiT distilled (Touvron et al. 2021): class and distillation token.

    Arguments are :class:`MaskedViT`'s. Without a mask and with converted weights it is
    timm's ``deit_tiny_distilled_patch16_224`` up to the final norm.
    """

    extra_token_names = ('cls_token', 'dist_token')
    arch_zoo = {
        'deit-tiny': dict(embed_dims=192, num_layers=12, num_heads=3),
        'deit-small': dict(embed_dims=384, num_layers=12, num_heads=6),
        'deit-base': dict(embed_dims=768, num_layers=12, num_heads=12),
    }

    def __init__(self, arch: str | dict = 'deit-tiny', **kwargs) -> None:
        super().__init__(arch, **kwargs)
