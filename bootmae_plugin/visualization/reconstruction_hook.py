"""Reconstructions while pretraining, on the visualizer's backends."""

import torch
from mmengine.hooks import Hook
from mmpretrain.registry import HOOKS

from ..engine.unwrap import unwrap_model
from ..errors import check
from ..models.heads import PixelHead


@HOOKS.register_module()
class ReconstructionHook(Hook):
    """Draw original | masked | reconstruction | pasted every n epochs.

    The same images of the training set under the same masks each time, and the run's
    random numbers stay as they are. Stages without a pixel branch draw nothing.

    Args:
        interval: Epochs between two pictures. Defaults to 10.
        number: Images. Defaults to 8.
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
            'ReconstructionHook takes its images from a data set held in memory '
            '(InMemoryImages): remove the hook, or use tools/reconstruct.py',
        )

    def after_train_epoch(self, runner) -> None:
        from . import quadruplets

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
            with torch.compiler.set_stance('force_eager'):  # see KNNHook
                picture = quadruplets(model, images)
            model.train()
        runner.visualizer.add_image('reconstruction', picture, step=runner.epoch + 1)
