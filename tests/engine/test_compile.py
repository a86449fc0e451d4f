"""compile=True: the same training, through a stage switch."""

import shutil

import pytest
import torch
from mmpretrain.registry import RUNNERS

from tests.tiny import tiny_config

needs_compiler = pytest.mark.skipif(
    shutil.which('g++') is None and not torch.cuda.is_available(),
    reason='torch.compile needs g++ on a CPU',
)


def train(work_dir, **options):
    cfg = tiny_config(work_dir, epochs=2, **options)
    cfg.default_hooks.logger.interval = 1
    runner = RUNNERS.build(cfg)
    runner.train()
    losses, _ = runner.message_hub.get_scalar('train/loss').data
    return runner.model, torch.as_tensor(losses)


@needs_compiler
def test_compiled_training_equals_eager_through_a_stage_switch(tmp_path):
    eager, losses = train(tmp_path / 'eager')
    compiled, theirs = train(tmp_path / 'compiled', compile=True)
    blocks = [*compiled.backbone.blocks, *compiled.neck.blocks]
    blocks += compiled.target_generator.encoder.blocks
    assert all(block._compiled_call_impl is not None for block in blocks)
    assert eager.stage == compiled.stage == 2
    assert len(losses) == 4  # of stage 2: a stage starts its own log
    assert torch.allclose(losses, theirs, rtol=1e-4)
    a, b = eager.state_dict(), compiled.state_dict()
    assert list(a) == list(b)  # a checkpoint does not show it
    for key in a:
        assert torch.allclose(a[key].float(), b[key].float(), atol=2e-3), key
