"""Reconstructions during pretraining, for the visualizer's backends."""

import torch
from mmengine.hooks import Hook
from mmpretrain.registry import HOOKS

from ..engine.unwrap import unwrap_model
from ..errors import check
from ..hints import command
from ..models.heads import PixelHead
from .pictures import quadruplets


@HOOKS.register_module()
class ReconstructionHook(Hook):
    """Draw original | masked | reconstruction | pasted every n epochs.

    It takes the same training images and the same masks each time, and leaves the
    run's random state unchanged. In a stage without a pixel branch it draws nothing.

    Args:
        interval: Epochs between two pictures; the last epoch is always drawn. Defaults
            to 10.
        number: Number of images. Defaults to 8.

    Raises:
        UserError: before training, if the data set is not held in memory.
    """

    priority = 'VERY_LOW'

    def __init__(self, interval: int = 10, number: int = 8) -> None:
        check(
            interval > 0 and number > 0,
            f'interval={interval} and number={number} must be positive',
        )
        self.interval, self.number = interval, number

    def before_run(self, runner) -> None:
        check(
            hasattr(runner.train_dataloader.dataset, 'images'),
            'ReconstructionHook needs a data set held in memory (InMemoryImages): '
            f'remove the hook, or use {command("reconstruct")}',
        )

    def after_train_epoch(self, runner) -> None:
        model = unwrap_model(runner.model)
        pixels = [h for _, h in model.active_branches() if isinstance(h, PixelHead)]
        last = runner.epoch + 1 == runner.max_epochs
        if not pixels or not (last or self.every_n_epochs(runner, self.interval)):
            return
        images = runner.train_dataloader.dataset.images[: self.number]
        device = model.stage_number.device
        with torch.random.fork_rng([device] if device.type == 'cuda' else []):
            torch.manual_seed(0)
            model.eval()
            # Compiled blocks would be compiled again for this batch size.
            with torch.compiler.set_stance('force_eager'):
                picture = quadruplets(model, images)
            model.train()
        runner.visualizer.add_image('reconstruction', picture, step=runner.epoch + 1)
