"""What a pixel branch sees and what it makes of it."""

from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from ..checkpoints.load import compare_keys
from ..checkpoints.read import read_checkpoint, state_dict_of
from ..errors import check
from ..models.heads import PixelHead, unpatchify
from ..models.masking import RandomMasking

SWEEP = tuple(round(0.1 * i, 1) for i in range(1, 10))


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
    """Mask images, reconstruct the masked patches.

    Args:
        model: A :class:`BootMAE` whose pixel branch is trained in its stage.
        images: (B, 3, H, W) normalised.

    Returns:
        ``original``, ``masked``, ``reconstruction`` (predicted patches only, grey
        where nothing is predicted) and ``pasted`` (the visible patches put in), (B, 3,
        H, W) normalised; of a normalised pixel target the mean and deviation of the
        true patch are used.

    Raises:
        UserError: if the stage has no pixel branch.
    """
    heads = {n: h for n, h in model.active_branches() if isinstance(h, PixelHead)}
    check(
        bool(heads),
        f'stage {model.stage} predicts features, there are no pixels to show: take the '
        'checkpoint of stage 1 (stage_1.pth), or train a pixel branch beside '
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

    def image(patches: Tensor) -> Tensor:
        return unpatchify(patches, geometry.grid, geometry.patch_size)

    hidden = image(hidden.expand_as(target))
    pixels = image(predicted * std + mean)
    return dict(
        original=images,
        masked=images * (1 - hidden),
        reconstruction=pixels * hidden,
        pasted=pixels * hidden + images * (1 - hidden),
    )


def _pixels(model: nn.Module, images: Tensor) -> np.ndarray:
    """Normalised (B, 3, H, W) -> (B, H, W, 3) uint8, in RGB."""
    preprocessor = model.data_preprocessor
    raw = (images * preprocessor.std + preprocessor.mean).clamp(0, 255).round().byte()
    return raw.permute(0, 2, 3, 1).cpu().numpy()


def _normalise(model: nn.Module, images: Tensor) -> Tensor:
    """RGB (B, 3, H, W) uint8 -> the model's input; mean and std are those of RGB."""
    preprocessor = model.data_preprocessor
    images = images.to(model.stage_number.device).float()
    return (images - preprocessor.mean) / preprocessor.std


def _figure(rows: list[list[np.ndarray]], titles: list[str], out: str | Path) -> Path:
    """Pictures in rows and columns, a title over each column."""
    import matplotlib

    matplotlib.use('Agg')
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(
        len(rows),
        len(titles),
        figsize=(1.6 * len(titles), 1.6 * len(rows) + 0.3),
        squeeze=False,
        constrained_layout=True,
    )
    for row, pictures in zip(axes, rows, strict=True):
        for ax, picture in zip(row, pictures, strict=True):
            ax.imshow(picture, interpolation='nearest')
            ax.axis('off')
    for ax, title in zip(axes[0], titles, strict=True):
        ax.set_title(title, fontsize=9)
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=110)
    plt.close(figure)
    return out


def save_quadruplets(model: nn.Module, images: Tensor, out: str | Path) -> Path:
    """Picture original | masked | reconstruction | pasted, a row an image.

    Args:
        model: See :func:`reconstruct`.
        images: (B, 3, H, W) uint8, RGB.
        out: File to write.
    """
    panels = reconstruct(model, _normalise(model, images))
    columns = [_pixels(model, panel) for panel in panels.values()]
    return _figure([list(row) for row in zip(*columns, strict=True)], [*panels], out)


def save_mask_sweep(model: nn.Module, images: Tensor, out: str | Path) -> Path:
    """The first image at mask ratios 0.1 ... 0.9: masked above, pasted below."""
    masking = model.masking
    image = _normalise(model, images[:1])
    top, bottom = [], []
    try:
        for ratio in SWEEP:
            model.masking = RandomMasking(ratio)
            panels = reconstruct(model, image)
            top.append(_pixels(model, panels['masked'])[0])
            bottom.append(_pixels(model, panels['pasted'])[0])
    finally:
        model.masking = masking
    return _figure([top, bottom], [str(ratio) for ratio in SWEEP], out)


def quadruplets(model: nn.Module, images: Tensor) -> np.ndarray:
    """The quadruplets as one array (rows, columns, 3) uint8; see save_quadruplets."""
    panels = reconstruct(model, _normalise(model, images))
    columns = [_mosaic(_pixels(model, panel), 1) for panel in panels.values()]
    return np.concatenate(columns, axis=1)


def _mosaic(images: np.ndarray, columns: int) -> np.ndarray:
    """(B, H, W, 3) -> one picture, with a thin white frame around each."""
    b, h, w, _ = images.shape
    rows = -(-b // columns)
    canvas = np.full((rows * (h + 2), columns * (w + 2), 3), 255, np.uint8)
    for i, image in enumerate(images):
        y, x = divmod(i, columns)
        canvas[y * (h + 2) + 1 :, x * (w + 2) + 1 :][:h, :w] = image
    return canvas


def save_reconstructions(model: nn.Module, images: Tensor, out: str | Path) -> Path:
    """Picture masked | reconstruction | original, each a mosaic of all images.

    Args: See :func:`save_quadruplets`.
    """
    import matplotlib

    matplotlib.use('Agg')
    import matplotlib.pyplot as plt

    panels = reconstruct(model, _normalise(model, images))
    shown = dict(masked='masked', pasted='reconstruction', original='original')
    figure, axes = plt.subplots(1, 3, figsize=(12, 4.4), constrained_layout=True)
    for ax, (key, title) in zip(axes, shown.items(), strict=True):
        mosaic = _mosaic(_pixels(model, panels[key]), round(len(images) ** 0.5))
        ax.imshow(mosaic, interpolation='nearest')
        ax.set_title(title)
        ax.axis('off')
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=110)
    plt.close(figure)
    return out
