"""A hook that knows nothing of bootmae_plugin."""

from mmengine.hooks import Hook
from mmengine.registry import HOOKS


@HOOKS.register_module()
class SignCheckpoint(Hook):
    def before_save_checkpoint(self, runner, checkpoint) -> None:
        checkpoint['signed_by'] = 'otherteam'
