"""The masked autoencoders that tools/benchmark.py compares, at equal architecture."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

import torch
from mmengine.registry import init_default_scope
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from bootmae_plugin.engine.memory import keep_freed_memory

from .timing import kernel_shares, peak_memory, seconds


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
    """This plugin: DeiT with two extra tokens, so one token more than the others."""
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
    model = MODELS.build(mmpretrain_config(shape))
    return model, lambda images: model.loss(images, None)['loss']


def lightly(shape: Shape) -> tuple[nn.Module, Loss]:
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


class LossModule(nn.Module):
    """A loss as ``forward``, which DistributedDataParallel hooks into."""

    def __init__(self, model: nn.Module, loss: Loss) -> None:
        super().__init__()
        self.model, self.loss = model, loss

    def forward(self, images: Tensor) -> Tensor:
        return self.loss(images)


def installed(name: str) -> bool:
    return name == 'ours' or find_spec(name) is not None


def make_step(
    name: str, shape: Shape, device: str = 'cpu', bf16: bool = True, **options
) -> Callable[[Tensor], None]:
    """A whole training step on a batch of images: forward, backward, AdamW.

    The optimiser is torch's AdamW as it comes, for this plugin as its configs set it
    (fused). ``compile`` compiles this plugin's blocks, or a peer's loss; ``parallel``
    averages the gradients over the processes.
    """
    if name == 'ours' and device == 'cpu':
        keep_freed_memory()  # as the runner does
    compiled = options.pop('compile', False)
    parallel = options.pop('parallel', False)
    model, loss = PEERS[name](shape, **options)
    model.to(device).train()
    if compiled and name == 'ours':
        from bootmae_plugin.models.layers import BLOCKS

        for module in model.modules():
            if isinstance(module, BLOCKS):
                module.compile(dynamic=False)
    elif compiled:
        loss = torch.compile(loss)
    if parallel:
        loss = nn.parallel.DistributedDataParallel(LossModule(model, loss))
    trained = [p for p in model.parameters() if p.requires_grad]
    fused = dict(fused=True) if name == 'ours' else {}
    optimizer = torch.optim.AdamW(trained, lr=1e-4, betas=(0.9, 0.95), **fused)

    def step(images: Tensor) -> None:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device, torch.bfloat16, enabled=bf16):
            value = loss(images)
        value.backward()
        optimizer.step()

    return step


class Contestant:
    """A training step and its batches, for a process of its own (``Remote``).

    Args:
        shape: Name in ``SHAPES``.
        device: 'cpu' or 'cuda'.
        threads: Of torch.
        setup: Further arguments of :func:`make_step`.
    """

    def __init__(self, shape: str, device: str, threads: int, setup: dict) -> None:
        logging.disable(logging.WARNING)  # mmengine on every initialised weight
        torch.set_num_threads(threads)
        init_default_scope('mmpretrain')
        self.shape, self.device = SHAPES[shape], device
        self.step = make_step(shape=self.shape, device=device, **setup)
        self.batches = {}

    def __call__(self, size: int, steps: int = 1, what: str = 'seconds'):
        """Of steps on ``size`` images: the seconds of one, the 'memory' in MiB, or the
        'kernels' with their shares of the time."""
        if size not in self.batches:
            side = self.shape.image
            self.batches[size] = torch.randn(size, 3, side, side, device=self.device)
        batch = self.batches[size]

        def work() -> None:
            for _ in range(steps):
                self.step(batch)

        if what == 'memory':
            return peak_memory(work, self.device)
        if what == 'kernels':
            return kernel_shares(work, self.device)
        return seconds(work, self.device) / steps
