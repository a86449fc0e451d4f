"""compile=True: the same training, through a stage switch."""

import torch
from mmpretrain.registry import RUNNERS
from torch import nn

from bootmae_plugin.engine.compile import compile_blocks
from bootmae_plugin.models.layers import Block
from tests.tiny import tiny_config


def train(work_dir, **options):
    cfg = tiny_config(work_dir, epochs=2, **options)
    cfg.default_hooks.logger.interval = 1
    runner = RUNNERS.build(cfg)
    runner.train()
    losses, _ = runner.message_hub.get_scalar('train/loss').data
    return runner.model, torch.as_tensor(losses)


def test_true_is_the_default_compiler_for_fixed_shapes(monkeypatch):
    calls = []
    monkeypatch.setattr(Block, 'compile', lambda self, **options: calls.append(options))
    assert compile_blocks(nn.Sequential(Block(24, 2), Block(24, 2)), True) == 2
    assert calls == [dict(dynamic=False)] * 2


def test_compiled_training_equals_eager_through_a_stage_switch(tmp_path):
    """Traced and differentiated as by default, without a minute of a C++ compiler.

    The default compiler is measured by ``tools/benchmark.py steps``.
    """
    eager, losses = train(tmp_path / 'eager')
    options = dict(backend='aot_eager', dynamic=False)
    compiled, theirs = train(tmp_path / 'compiled', compile=options)
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
