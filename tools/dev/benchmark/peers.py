"""The masked autoencoders that are compared, at equal architecture."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

from mmpretrain.registry import MODELS
from torch import Tensor, nn


@dataclass(frozen=True)
class Shape:
    """The architecture that every contestant gets."""

    width: int
    heads: int
    decoder_width: int
    decoder_heads: int
    depth: int = 12
    decoder_depth: int = 2
    image: int = 32
    patch: int = 4
    mask_ratio: float = 0.75

    @property
    def patches(self) -> int:
        return (self.image // self.patch) ** 2


SHAPES = {
    'deit-tiny': Shape(192, 3, 192, 3),
    'deit-tiny-d48': Shape(48, 3, 96, 3),
}
Loss = Callable[[Tensor], Tensor]


def ours(
    shape: Shape, stage: int = 1, views: int = 1, **decoder
) -> tuple[nn.Module, Loss]:
    """Build this plugin's model: DeiT has two extra tokens, one more than the others.

    Args:
        shape: The architecture.
        stage: 1 reconstructs pixels, 2 predicts the features of the stage encoder.
        views: Masks of an image in a step (``masks_per_image``).
        **decoder: Replaces settings of the decoder.

    Returns:
        The model, and its loss as a function of the images.
    """
    width, heads = shape.width, shape.heads
    branch = dict(type='PixelHead', last_stage=1)
    if stage > 1:
        branch = dict(type='FeatureHead', first_stage=2)
    model = MODELS.build(
        dict(
            type='BootMAE',
            backbone=dict(
                type='MaskedDeiT',
                arch=dict(embed_dims=width, num_layers=shape.depth, num_heads=heads),
                img_size=shape.image,
                patch_size=shape.patch,
            ),
            masking=dict(type='RandomMasking', mask_ratio=shape.mask_ratio),
            neck=dict(
                dict(
                    type='MAEDecoder',
                    embed_dims=shape.decoder_width,
                    depth=shape.decoder_depth,
                    num_heads=shape.decoder_heads,
                ),
                **decoder,
            ),
            head=dict(main=branch),
            target_generator=dict(type='StageEncoder') if stage > 1 else None,
            masks_per_image=views,
        )
    )
    if stage > 1:
        model.start_stage(stage)
    return model, lambda images: model.loss(images)['loss_main']


def mmpretrain_config(shape: Shape) -> dict:
    """Return the config of mmpretrain's own MAE."""
    arch = dict(
        embed_dims=shape.width,
        num_layers=shape.depth,
        num_heads=shape.heads,
        feedforward_channels=4 * shape.width,
    )
    return dict(
        type='MAE',
        backbone=dict(
            type='MAEViT',
            arch=arch,
            img_size=shape.image,
            patch_size=shape.patch,
            mask_ratio=shape.mask_ratio,
        ),
        neck=dict(
            type='MAEPretrainDecoder',
            num_patches=shape.patches,
            patch_size=shape.patch,
            embed_dim=shape.width,
            decoder_embed_dim=shape.decoder_width,
            decoder_depth=shape.decoder_depth,
            decoder_num_heads=shape.decoder_heads,
        ),
        head=dict(
            type='MAEPretrainHead',
            norm_pix=True,
            patch_size=shape.patch,
            loss=dict(type='PixelReconstructionLoss', criterion='L2'),
        ),
    )


def mmpretrain(shape: Shape) -> tuple[nn.Module, Loss]:
    """Build mmpretrain's own MAE and its loss."""
    model = MODELS.build(mmpretrain_config(shape))
    return model, lambda images: model.loss(images, None)['loss']


def lightly(shape: Shape) -> tuple[nn.Module, Loss]:
    """Build lightly's MAE and its loss, as in lightly's example."""
    from lightly.models import utils
    from lightly.models.modules import (
        MAEDecoderTIMM,
        MaskedVisionTransformerTIMM,
    )
    from timm.models.vision_transformer import VisionTransformer

    vit = VisionTransformer(
        img_size=shape.image,
        patch_size=shape.patch,
        embed_dim=shape.width,
        depth=shape.depth,
        num_heads=shape.heads,
        num_classes=0,
    )
    encoder = MaskedVisionTransformerTIMM(vit=vit)
    decoder = MAEDecoderTIMM(
        num_patches=shape.patches,
        patch_size=shape.patch,
        embed_dim=shape.width,
        decoder_embed_dim=shape.decoder_width,
        decoder_depth=shape.decoder_depth,
        decoder_num_heads=shape.decoder_heads,
    )

    def loss(images: Tensor) -> Tensor:
        size = (len(images), shape.patches + 1)
        keep, masked = utils.random_token_mask(
            size, mask_ratio=shape.mask_ratio, device=images.device
        )
        visible = decoder.embed(encoder.encode(images=images, idx_keep=keep))
        tokens = utils.repeat_token(decoder.mask_token, size)
        tokens = utils.set_at_index(tokens, keep, visible.type_as(tokens))
        decoded = utils.get_at_index(decoder.decode(tokens), masked)
        target = utils.patchify(images, shape.patch)
        target = utils.get_at_index(target, masked - 1)
        target = utils.normalize_mean_var(target, dim=-1)
        return nn.functional.mse_loss(decoder.predict(decoded), target)

    return nn.ModuleList([encoder, decoder]), loss


def transformers(shape: Shape) -> tuple[nn.Module, Loss]:
    """Build transformers' ViTMAEForPreTraining and its loss."""
    from transformers import ViTMAEConfig, ViTMAEForPreTraining

    model = ViTMAEForPreTraining(
        ViTMAEConfig(
            hidden_size=shape.width,
            num_hidden_layers=shape.depth,
            num_attention_heads=shape.heads,
            intermediate_size=4 * shape.width,
            image_size=shape.image,
            patch_size=shape.patch,
            decoder_hidden_size=shape.decoder_width,
            decoder_num_hidden_layers=shape.decoder_depth,
            decoder_num_attention_heads=shape.decoder_heads,
            decoder_intermediate_size=4 * shape.decoder_width,
            mask_ratio=shape.mask_ratio,
            norm_pix_loss=True,
        )
    )
    return model, lambda images: model(pixel_values=images).loss


PEERS = dict(
    ours=ours, mmpretrain=mmpretrain, lightly=lightly, transformers=transformers
)


def is_installed(name: str) -> bool:
    """Return whether the package of this peer can be imported."""
    return name == 'ours' or find_spec(name) is not None
