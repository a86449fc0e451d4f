"""Mask images and reconstruct them with a pixel branch."""

from pathlib import Path

import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from ..checkpoints.load import compare_keys
from ..checkpoints.read import read_checkpoint, state_dict_of
from ..errors import check
from ..models.heads import PixelHead
from ..models.patches import unpatchify


def load_model(config: str | Path | Config, checkpoint: str | Path) -> nn.Module:
    """Build the model of a pretraining config with the weights of a checkpoint.

    Args:
        config: The config, or its path.
        checkpoint: Path of a checkpoint that it trained.

    Returns:
        The :class:`BootMAE`, in eval mode.

    Raises:
        UserError: if the config is of no pretraining, or the checkpoint does not match.
    """
    cfg = config if isinstance(config, Config) else Config.fromfile(config)
    name = cfg.filename
    model_cfg = cfg.get('model') or {}
    check(
        model_cfg.get('masking') is not None,
        f'{name} trains no masked autoencoder (model.type={model_cfg.get("type")}): '
        'give a config below configs/selfsup/',
    )
    model = MODELS.build(
        dict(model_cfg, data_preprocessor=cfg.get('data_preprocessor'))
    )
    weights = state_dict_of(read_checkpoint(checkpoint))
    compare_keys(
        model.state_dict(),
        weights,
        f'checkpoint {checkpoint}',
        f'give a checkpoint that {name} trained',
    )
    model.load_state_dict(weights)
    return model.eval()


def set_mask_ratio(model: nn.Module, mask_ratio: float) -> None:
    """Replace the mask ratio of a model and keep the other options of its masking.

    Raises:
        UserError: if its kind of mask cannot have this ratio.
    """
    masking = model.masking.with_ratio(mask_ratio)
    masking.check_grid(model.backbone.geometry.grid)
    model.masking = masking


@torch.no_grad()
def reconstruct(model: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """Mask images and reconstruct the masked patches.

    Where the head predicts normalized pixels, patch mean and variance are taken from
    the original image.

    Args:
        model: A :class:`BootMAE` whose pixel branch is trained in its stage.
        images: (B, 3, H, W) normalized.

    Returns:
        Four tensors (B, 3, H, W), normalized: ``original``; ``masked``;
        ``reconstruction``, the predicted patches alone on a gray ground; ``pasted``,
        the prediction with the visible patches pasted in.

    Raises:
        UserError: if the stage has no pixel branch.
    """
    heads = {n: h for n, h in model.active_branches() if isinstance(h, PixelHead)}
    check(
        bool(heads),
        f'stage {model.stage} predicts features, not pixels: give the checkpoint of '
        'stage 1 (stage_1.pth), or train pixels in every stage '
        '(model.head.pixel.last_stage=None)',
    )
    (name, head), *_ = heads.items()
    geometry = model.backbone.geometry
    mask = model.masking(len(images), geometry.grid, images.device)
    latent = model.backbone.encode(images, mask, model.injected)
    decoded = model.decoder(name)(latent, mask)
    target, mean, std = head.target(images)
    index = mask.ids_mask[..., None].expand(-1, -1, target.shape[-1])
    predicted = torch.zeros_like(target).scatter(1, index, head.pred(decoded).float())
    hidden = mask.dense()[..., None].to(images.dtype)

    def to_image(patches: Tensor) -> Tensor:
        return unpatchify(patches, geometry.grid, geometry.patch_size)

    hidden = to_image(hidden.expand_as(target))
    pixels = to_image(predicted * std + mean)
    return dict(
        original=images,
        masked=images * (1 - hidden),
        reconstruction=pixels * hidden,
        pasted=pixels * hidden + images * (1 - hidden),
    )
