"""What a training from the encoder of a run changes in the shipped config."""

import pytest
from mmengine.config import Config

from bootmae_plugin import config_path
from bootmae_plugin.configuration.transfer import FINETUNE, finetuning


@pytest.mark.parametrize(
    ('number', 'batch', 'epochs'),
    [
        (200, 64, 334),  # 3 steps an epoch: 1,002 steps
        (20, 20, 1000),  # 1 step an epoch
        (640, 64, 100),  # 10 steps an epoch: as the config
    ],
)
def test_few_labels_get_steps_enough(number, batch, epochs):
    base = Config.fromfile(config_path(FINETUNE))
    options = finetuning(base, number, batch)
    assert options['train_cfg.max_epochs'] == epochs
    assert options['train_cfg.val_interval'] == epochs // 10 + (epochs % 10 > 0)
    # A crash loses a hundredth of the run at most.
    saves = options['default_hooks.checkpoint.interval']
    assert saves == epochs // 100 + (epochs % 100 > 0)
    assert options['optim_wrapper.optimizer.lr'] == 1e-3
    assert options['auto_scale_lr.base_batch_size'] == 64
    assert options['auto_scale_lr.rule'] == 'sqrt'


def test_the_length_that_the_user_gives_is_kept():
    base = Config.fromfile(config_path(FINETUNE))
    options = finetuning(base, 200, 64, epochs=5)
    assert options['train_cfg.max_epochs'] == 5
    assert options['train_cfg.val_interval'] == 1
    assert options['default_hooks.checkpoint.interval'] == 1
