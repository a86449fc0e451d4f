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
    resolve_arch,
    sincos_pos_embed,
)
from .masking import Mask, RandomMasking
from .patches import Geometry, PatchEmbed, grid_of
from .pooling import check_out_type, check_patch_drop, pool_tokens

# Keys of an init_cfg of type 'Pretrained', beside its checkpoint; see load_encoder.
LOADING = ('prefix', 'allow', 'resample_patches')


@MODELS.register_module()
class MaskedViT(BaseBackbone):
    """Vision transformer with a class token (Dosovitskiy et al. 2020), as in MAE.

    Args:
        arch: A name in ``arch_zoo``, or a dict with ``embed_dims``, ``num_layers``,
            ``num_heads`` and optionally ``mlp_ratio`` (default 4).
        img_size: Height and width in pixels, or one number for both. Defaults to 224.
        patch_size: Side of a patch in pixels. Defaults to 16.
        in_channels: Image channels. Defaults to 3.
        pos_embed: 'sincos' (fixed, MAE) or 'learnable' (DeiT). Defaults to 'sincos'.
        init: 'mae' (default), or 'bootmae': q, k and v are initialized as three
            matrices, extra tokens close to zero.
        drop_path_rate: Stochastic depth of the last block; earlier blocks have less,
            linearly down to 0. Defaults to 0.
        patch_drop_rate: Share of the patches of an image that ``forward`` leaves out in
            training, at random, so a step costs that much less (PatchDropout, Liu et
            al. 2022). It needs an ``out_type`` without a layout, such as 'avg'.
            Defaults to 0.
        out_indices: Blocks whose output ``forward`` returns. Defaults to -1, the last.
        out_type: Form of the output of each block: 'raw' tokens (B, E + L, D),
            'featmap' (B, D, rows, cols), 'avg' (mean of the patch tokens), 'grid2x2'
            (means of the four quarters), 'cls', 'cls+dist', 'distilled' (the pair that
            mmpretrain's ``DeiTClsHead`` takes), 'flatten' (all patch tokens),
            'flatten_all' (all tokens). 'flatten64' or 'flatten66' also checks the
            number of tokens. Defaults to 'avg'.
        final_norm: Apply the final norm to the last block's output in ``forward``. Set
            False before a head with a norm of its own (:class:`NormNeck`). Defaults to
            True.
        frozen_stages: Number of blocks to freeze, from the first, with all that is
            before them. 0 freezes the embedding alone, ``num_layers`` the whole
            encoder. Frozen parts stay in eval mode. Defaults to -1: none.
        init_cfg: ``dict(type='Pretrained', checkpoint=...)`` loads an encoder strictly;
            ``prefix`` and ``allow`` as in :func:`load_encoder`. Defaults to None.

    Raises:
        UserError: if an option is unknown or sizes do not fit.
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
        patch_drop_rate: float = 0.0,
        out_indices: int | Sequence[int] = -1,
        out_type: str = 'avg',
        final_norm: bool = True,
        frozen_stages: int = -1,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        arch = resolve_arch(arch, self.arch_zoo, type(self).__name__)
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
        check_patch_drop(patch_drop_rate, out_type)
        self.out_type = out_type
        self.patch_drop = RandomMasking(patch_drop_rate) if patch_drop_rate else None
        self.out_indices = self.geometry.resolve_blocks(out_indices, 'out_indices')
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

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Initialize all weights; a learnable position embedding starts as sin-cos."""
        self.apply(init_transformer)
        if self.init == 'bootmae':
            self.apply(init_separate_qkv)
        for token in self.extra_tokens():
            nn.init.normal_(token, std=0.02 if self.init == 'mae' else 1e-6)
        size = self.embed_dims, self.geometry.grid, self.num_extra_tokens
        self.pos_embed.copy_(sincos_pos_embed(*size))

    def init_weights(self) -> None:
        """Load the checkpoint of ``init_cfg`` strictly, if it names one."""
        cfg = self.init_cfg
        if isinstance(cfg, dict) and cfg.get('type') == 'Pretrained':
            if not self.is_init:
                options = {k: cfg[k] for k in LOADING if k in cfg}
                load_encoder(self, cfg['checkpoint'], **options)
                self.is_init = True
        else:
            super().init_weights()

    def extra_tokens(self) -> list[nn.Parameter]:
        """Return the tokens in front of the patches, in order."""
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
            (token + position).to(x.dtype).expand(x.shape[0], -1, -1)
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
        """Encode the visible patches; without a mask, all patches.

        Args:
            images: (B, C, H, W) normalized images.
            mask: Which patches are visible. Defaults to None: all.
            blocks: Indices of further blocks whose output to return. Defaults to ().
            patches_only: Leave out the extra tokens in the last block's output, which a
                teacher does not need. Defaults to False.

        Returns:
            Tokens (B, E + K, D), without a mask (B, E + L, D). E is 0 with
            ``patches_only``.
        """
        x, outputs = self.embed(images, mask), {}
        num_patches = x.shape[1] - self.num_extra_tokens
        for i, block in enumerate(self.blocks):
            cut = patches_only and i == self.num_layers - 1
            x = block(x, num_patches if cut else None)
            if i in blocks:
                outputs[i] = x
        return Latent(self.norm(x), outputs)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return features of images (B, C, H, W), in training without dropped patches.

        Returns:
            One feature for each block in ``out_indices``, in the form of ``out_type``.
        """
        grid = grid_of(tuple(images.shape[-2:]), self.geometry.patch_size)
        mask = None
        if self.training and self.patch_drop is not None:
            mask = self.patch_drop(len(images), grid, images.device)
        # A frozen encoder needs no gradients.
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self._all_frozen):
            tokens, features = self.encode(images, mask, self.out_indices)
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
            self.norm.requires_grad_(False)  # unused, but part of every checkpoint
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
        """Set the mode; frozen parts stay in eval mode."""
        super().train(mode)
        for module in self._frozen_modules():
            module.eval()
        return self

    def get_layer_depth(self, param_name: str, prefix: str = '') -> tuple[int, int]:
        """Return (depth, number of depths) of a parameter, for layer-wise decay.

        The embeddings have depth 0, block i has depth i + 1. The final norm and all
        that follows the encoder have the last depth.
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
    """Distilled DeiT (Touvron et al. 2021), with a class and a distillation token.

    With converted weights it equals timm's ``deit_tiny_distilled_patch16_224`` up to
    the final norm.

    Args:
        arch: As in :class:`MaskedViT`. Defaults to 'deit-tiny'.
        **kwargs: See :class:`MaskedViT`.
    """

    extra_token_names = ('cls_token', 'dist_token')
    arch_zoo = {
        'deit-micro': dict(embed_dims=64, num_layers=6, num_heads=4),  # ours
        'deit-tiny': dict(embed_dims=192, num_layers=12, num_heads=3),
        'deit-small': dict(embed_dims=384, num_layers=12, num_heads=6),
        'deit-base': dict(embed_dims=768, num_layers=12, num_heads=12),
    }

    def __init__(self, arch: str | dict = 'deit-tiny', **kwargs) -> None:
        super().__init__(arch, **kwargs)
