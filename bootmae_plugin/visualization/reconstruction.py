"""What a pixel branch sees and what it makes of it."""

from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from ..errors import check
from ..models.heads import PixelHead, unpatchify
from ..models.pretrained import compare_keys, read_checkpoint, state_dict_of


def load_model(config: str | Path, checkpoint: str | Path) -> nn.Module:
    """Build the model of a config with the weights of a checkpoint, in eval mode."""
    cfg = Config.fromfile(config)
    model = MODELS.build(
        dict(cfg.model, data_preprocessor=cfg.get('data_preprocessor'))
    )
    weights = state_dict_of(read_checkpoint(checkpoint))
    compare_keys(
        model.state_dict(),
        weights,
        f'checkpoint {checkpoint}',
        f'give a checkpoint that {config} trained',
    )
    model.load_state_dict(weights)
    return model.eval()


@torch.no_grad()
def reconstruct(model: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """Mask images, reconstruct the masked patches, paste the visible ones in.

    Args:
        model: A :class:`BootMAE` whose pixel branch is trained in its stage.
        images: (B, 3, H, W) normalised.

    Returns:
        ``masked``, ``reconstruction`` and ``original``, (B, 3, H, W) normalised; of a
        normalised pixel target the mean and deviation of the true patch are used.

    Raises:
        UserError: if the stage has no pixel branch.
    """
    heads = [head for _, head in model.active_branches() if isinstance(head, PixelHead)]
    check(
        bool(heads),
        f'stage {model.stage} predicts features, there are no pixels to show: take the '
        'checkpoint of stage 1 (stage_1.pth)',
    )
    head, geometry = heads[0], model.backbone.geometry
    mask = model.masking(len(images), geometry.grid, images.device)
    decoded = model.neck(model.backbone.encode(images, mask), mask)
    target, mean, std = head.target(images)
    patches = target.scatter(
        1, mask.ids_mask[..., None].expand(-1, -1, target.shape[-1]), head.pred(decoded)
    )
    hidden = unpatchify(
        mask.dense()[..., None].expand_as(target).to(images.dtype),
        geometry.grid,
        geometry.patch_size,
    )
    return dict(
        masked=images * (1 - hidden),
        reconstruction=unpatchify(
            patches * std + mean, geometry.grid, geometry.patch_size
        ),
        original=images,
    )


def _mosaic(images: Tensor, columns: int) -> np.ndarray:
    """(B, 3, H, W) uint8 -> one picture, with a thin white frame around each."""
    b, _, h, w = images.shape
    rows = -(-b // columns)
    canvas = np.full((rows * (h + 2), columns * (w + 2), 3), 255, np.uint8)
    for i, image in enumerate(images.permute(0, 2, 3, 1).numpy()):
        y, x = divmod(i, columns)
        canvas[y * (h + 2) + 1 :, x * (w + 2) + 1 :][:h, :w] = image
    return canvas


def save_reconstructions(model: nn.Module, images: Tensor, out: str | Path) -> Path:
    """Picture masked | reconstruction | original of raw images (B, 3, H, W) uint8."""
    import matplotlib

    matplotlib.use('Agg')
    import matplotlib.pyplot as plt

    prepared = model.data_preprocessor(dict(inputs=images))['inputs']
    panels = reconstruct(model, prepared)
    mean, std = model.data_preprocessor.mean, model.data_preprocessor.std
    figure, axes = plt.subplots(1, 3, figsize=(12, 4.4), constrained_layout=True)
    for ax, (name, panel) in zip(axes, panels.items(), strict=True):
        pixels = (panel * std + mean).clamp(0, 255).round().byte()
        ax.imshow(_mosaic(pixels, round(len(images) ** 0.5)), interpolation='nearest')
        ax.set_title(name)
        ax.axis('off')
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=110)
    plt.close(figure)
    return out
