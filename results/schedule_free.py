"""The hook of ``schedulefree``'s optimizers, for results/ladders/optimizers.py."""

from mmengine.hooks import Hook
from mmpretrain.registry import HOOKS


@HOOKS.register_module()
class ScheduleFreeHook(Hook):
    """Take the gradients where the optimizer asks for them, and save the average.

    Method: Defazio et al. 2024, https://arxiv.org/abs/2405.15682.
    """

    def before_train_epoch(self, runner) -> None:
        runner.optim_wrapper.optimizer.train()

    def after_train_epoch(self, runner) -> None:
        runner.optim_wrapper.optimizer.eval()
