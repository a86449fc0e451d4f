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
    # One block each: further ones would be compiled in seconds each, and tell no more.
    one = dict(model__backbone__arch=dict(embed_dims=24, num_layers=1, num_heads=2))
    eager, losses = train(tmp_path / 'eager', **one)
    compiled, theirs = train(tmp_path / 'compiled', compile=True, **one)
    blocks = [*compiled.backbone.blocks, *compiled.neck.blocks]
    blocks += compiled.target_generator.encoder.blocks
    assert all(block._compiled_call_impl is not None for block in blocks)
    assert eager.stage == compiled.stage == 2
    assert len(losses) == 4  # of stage 2: a stage starts its own log
    assert torch.allclose(losses, theirs, rtol=1e-4)
    a, b = eager.state_dict(), compiled.state_dict()
    assert list(a) == list(b)  # a checkpoint does not show it
    for key in a:
        # AdamW makes a whole step of the sign of a gradient near 0.
        assert (a[key].float() - b[key].float()).abs().mean() < 2e-5, key


def test_looking_at_the_features_compiles_nothing_more(tmp_path):
    digits = dict(type='InMemoryImages', source=dict(type='Digits', indices=32))
    hooks = [
        dict(type='KNNHook', train=digits, test=digits, interval=1, k=5),
        dict(type='ReconstructionHook', interval=1, number=2),
    ]
    graphs = {}
    for name, custom in {'without': [], 'with': hooks}.items():
        torch._dynamo.reset()
        torch._dynamo.utils.counters.clear()
        options = dict(backend='eager', dynamic=False)
        train(tmp_path / name, compile=options, custom_hooks=custom)
        graphs[name] = torch._dynamo.utils.counters['stats']['unique_graphs']
    assert graphs['with'] == graphs['without'] > 0
