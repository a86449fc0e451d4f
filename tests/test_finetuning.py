"""Full and partial finetuning: what is trained, averaged, saved and tested."""

import argparse
import io
import re
from contextlib import redirect_stdout

import pytest
import torch
from mmengine import load
from mmengine.config import Config, DictAction
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmpretrain.registry import DATASETS, HOOKS, MODELS

from tests.tiny import ROOT, run_tool

ARCH = dict(embed_dims=24, num_layers=3, num_heads=2)
DIGITS = 'configs/benchmarks/partial/deit-tiny_digits.py'
TINY = [f'model.backbone.arch.{key}={value}' for key, value in ARCH.items()]
TINY += ['model.head.in_channels=24']
AVERAGE = ['default_hooks.ema.type=EMAHook', 'default_hooks.ema.momentum=0.1']


def config(folder='finetune', **options) -> Config:
    """Return the CIFAR-10 config with a small encoder; ``__`` stands for a dot."""
    cfg = Config.fromfile(ROOT / f'configs/benchmarks/{folder}/deit-tiny_cifar10.py')
    cfg.merge_from_dict({k.replace('__', '.'): v for k, v in options.items()})
    cfg.model.backbone.arch = ARCH
    cfg.model.head.in_channels = 24
    return cfg


def pretrained(path) -> str:
    """Save a checkpoint as a pretraining of the small encoder does; return its path."""
    cfg = Config.fromfile(ROOT / 'configs/selfsup/bootmae_deit-tiny_cifar10.py')
    cfg.model.backbone.arch = ARCH
    student = MODELS.build(cfg.model)
    torch.save(dict(state_dict=student.state_dict()), path)
    return str(path)


def build(cfg) -> torch.nn.Module:
    model = MODELS.build(dict(cfg.model, data_preprocessor=cfg.data_preprocessor))
    model.init_weights()
    return model


def batch(size=8) -> dict:
    return dict(
        inputs=torch.randint(0, 256, (size, 3, 32, 32), dtype=torch.uint8),
        sample_idx=torch.arange(size),
        gt_label=torch.arange(size),
    )


class Runner:
    """The attributes that EMAHook reads of a runner."""

    def __init__(self, model):
        self.model, self.iter, self.epoch = model, 0, 0


@pytest.mark.parametrize(
    ('frozen_stages', 'trained_blocks'),
    [(3, []), (2, [2]), (1, [1, 2]), (-1, range(3))],
)
def test_partial_finetuning_trains_only_the_last_blocks(
    frozen_stages, trained_blocks, tmp_path
):
    cfg = config(
        'partial',
        model__backbone__frozen_stages=frozen_stages,
        model__backbone__drop_path_rate=0.5,
        model__backbone__init_cfg__checkpoint=pretrained(tmp_path / 'stage_1.pth'),
        optim_wrapper__paramwise_cfg__layer_decay_rate=0.75,
    )
    model = build(cfg)
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    hook = HOOKS.build(dict(type='EMAHook', momentum=0.1))
    hook.before_run(Runner(model))
    before = {k: v.clone() for k, v in model.state_dict().items()}
    for _ in range(6):  # a block is left out of a step with probability up to .5
        model.train().train_step(batch(), wrapper)
        hook.after_train_iter(Runner(model), 0)
    after, averaged = model.state_dict(), hook.ema_model.module.state_dict()
    changed = {key for key in before if not torch.equal(before[key], after[key])}
    blocks = tuple(f'backbone.blocks.{i}.' for i in trained_blocks)
    expected = {key for key in before if key.startswith((*blocks, 'head.'))}
    if trained_blocks:
        expected |= {'backbone.norm.weight', 'backbone.norm.bias'}
    if frozen_stages < 0:  # the position embedding is sin-cos and never trained
        expected = set(before) - {'backbone.pos_embed'}
    assert changed == expected
    assert {k for k in before if not torch.equal(before[k], averaged[k])} == expected
    # The layer decay counts from the head, also if blocks are frozen.
    names = {id(p): name for name, p in model.named_parameters()}
    groups = wrapper.optimizer.param_groups
    rates = {names[id(p)]: group['lr'] for group in groups for p in group['params']}
    scales = {name: rate / rates['head.fc.weight'] for name, rate in rates.items()}
    assert set(scales) == expected
    for i in trained_blocks:
        assert scales[f'backbone.blocks.{i}.norm1.weight'] == pytest.approx(
            0.75 ** (3 - i)
        )


def test_frozen_blocks_are_in_eval_mode_and_the_others_drop_paths():
    model = build(config('partial', model__backbone__init_cfg=None,
                         model__backbone__frozen_stages=2,
                         model__backbone__drop_path_rate=0.9)).train()  # fmt: skip
    images = torch.randn(4, 3, 32, 32)
    frozen = [model.backbone.encode(images, blocks=[1]).blocks[1] for _ in range(2)]
    last = [model.backbone.encode(images).tokens for _ in range(2)]
    assert torch.equal(*frozen)
    assert not torch.equal(*last)


def test_mixup_and_cutmix_alternate_and_labels_are_smoothed():
    cfg = config(model__backbone__init_cfg=None)
    model = build(cfg)
    kinds, data = set(), batch(64)
    data['gt_label'] = torch.arange(64) % 10
    for _ in range(20):
        out = model.data_preprocessor(data, training=True)
        scores = torch.stack([s.gt_score for s in out['data_samples']])
        assert torch.allclose(scores.sum(1), torch.ones(64))
        assert ((scores > 0).sum(1) <= 2).all()
        kinds |= {'mixed'} if ((scores > 0) & (scores < 1)).any() else {'whole'}
    assert 'mixed' in kinds
    augments = [
        type(a).__name__ for a in model.data_preprocessor.batch_augments.augments
    ]
    assert augments == ['Mixup', 'CutMix']
    assert model.data_preprocessor.batch_augments.probs is None  # evenly
    # The loss is the cross entropy with the smoothed label, by hand.
    scores = torch.zeros(1, 10)
    scores[0, 3] = 5.0
    smoothed = torch.full((1, 10), 0.01)
    smoothed[0, 3] += 0.9
    loss = model.head.loss_module(scores, torch.tensor([3]))
    assert torch.allclose(loss, -(smoothed * scores.log_softmax(1)).sum())
    evaluated = model.data_preprocessor(data, training=False)
    assert [int(s.gt_label) for s in evaluated['data_samples'][:3]] == [0, 1, 2]


def test_the_distilled_head_averages_class_and_distillation_token():
    cfg = config(model__backbone__init_cfg=None,
                 model__backbone__out_type='distilled',
                 model__head__type='DeiTClsHead')  # fmt: skip
    model = build(cfg)
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    before = {k: v.clone() for k, v in model.named_parameters()}
    model.train()
    for _ in range(5):
        model.train_step(batch(), wrapper)
    unchanged = {k for k, v in model.named_parameters() if torch.equal(before[k], v)}
    assert unchanged == {'backbone.pos_embed'}
    model.eval()
    images = torch.randn(2, 3, 32, 32)
    tokens, layers = model.backbone.encode(images).tokens, model.head.layers
    expected = (layers.head(tokens[:, 0]) + layers.head_dist(tokens[:, 1])) / 2
    assert torch.equal(model.extract_feat(images)[0][1], tokens[:, 1])
    assert torch.allclose(model.head(model.extract_feat(images)), expected)
    assert model.predict(images)[0].pred_score.shape == (10,)


def test_the_documented_options_are_read_from_a_command_line():
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    text = (ROOT / 'configs/benchmarks/finetune/deit-tiny_cifar10.py').read_text()
    # Lines of the table in the config: name, two spaces, options.
    rows = re.findall(r'^#   (\w[\w ]+?)  +(.*?)(?: \(.*)?$', text, re.MULTILINE)
    options = {name: row.replace('"', '').split() for name, row in rows}
    assert set(options) == {
        'layer decay', 'mixup or cutmix only', 'neither of them', 'label smoothing',
        'drop path', 'average of weights', 'distilled head', 'class token',
    }  # fmt: skip
    for words in options.values():
        cfg = config(model__backbone__init_cfg=None)
        cfg.merge_from_dict(parser.parse_args(['--cfg-options', *words]).cfg_options)
        if 'ema' in cfg.default_hooks:
            HOOKS.build(cfg.default_hooks.ema)
        model = build(cfg)
        out = model.train_step(batch(), build_optim_wrapper(model, cfg.optim_wrapper))
        assert torch.isfinite(out['loss'])


@pytest.fixture(scope='module')
def averaged_run(tmp_path_factory):
    """A partial finetuning with all options, resumed, and its checkpoint tested."""
    root = tmp_path_factory.mktemp('finetuning')
    init_default_scope('mmpretrain')
    torch.manual_seed(0)
    checkpoint = pretrained(root / 'stage_1.pth')
    tiny = [
        *TINY, 'model.backbone.frozen_stages=1', 'model.backbone.drop_path_rate=0.1',
        'model.head.loss.type=LabelSmoothLoss', 'model.head.loss.label_smooth_val=0.1',
    ]  # fmt: skip
    train = [
        'train.py', ROOT / DIGITS, '--work-dir', f'{root}/run', '--cfg-options', *tiny,
        'train_cfg.val_interval=1', 'optim_wrapper.optimizer.lr=0.16',
        'train_dataloader.dataset.source.indices=480',
        'data_preprocessor.batch_augments.augments.type=Mixup',
        'data_preprocessor.batch_augments.augments.alpha=0.8', *AVERAGE,
        f'model.backbone.init_cfg.checkpoint={checkpoint}',
    ]  # fmt: skip
    test = ['test.py', ROOT / DIGITS, root / 'run/epoch_3.pth', '--work-dir',
            root / 'test', '--cfg-options', *tiny]  # fmt: skip
    jobs = dict(
        train=[*train, 'train_cfg.max_epochs=2'],
        resume=[*train, 'train_cfg.max_epochs=3', 'resume=True'],
        test=[*test, '--out', f'{root}/test.pkl'],
        test_with=[*test, *AVERAGE, '--out', f'{root}/test_with.pkl'],
    )
    logs = {}
    for name, words in jobs.items():
        with redirect_stdout(io.StringIO()) as out:
            run_tool(*words)
        logs[name] = out.getvalue()
    return root, logs


def test_the_averaged_weights_are_validated_saved_and_tested(averaged_run):
    root, logs = averaged_run
    validated = re.findall(r'accuracy/top1 ([\d.]+)', logs['resume'])[-1:]
    assert len(re.findall('validation', logs['train'])) == 2
    for name in ('test', 'test_with'):
        assert re.findall(r'accuracy/top1 ([\d.]+)', logs[name]) == validated
    content = torch.load(root / 'run/epoch_3.pth', weights_only=False)
    averaged, trained = content['state_dict'], content['ema_state_dict']
    assert trained['steps'] == 3 * 15  # the resumed run continued the average
    # The averaged weights are tested, not those of the last optimizer step.
    trained = {k.removeprefix('module.'): v for k, v in trained.items() if k != 'steps'}
    (averaged, trained), labels = digits_scores(averaged, trained)
    assert not torch.allclose(averaged, trained, atol=1e-3)
    right = 100 * float((averaged.argmax(1) == labels).double().mean())
    assert f'{right:.2f}' == validated[0]
    for name in ('test', 'test_with'):
        tested = torch.stack([s['pred_score'] for s in load(root / f'{name}.pkl')])
        assert torch.allclose(tested, averaged, atol=1e-5)


def digits_scores(*states) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Probabilities (360, 10) of each state_dict on the test digits; labels (360,)."""
    cfg = Config.fromfile(ROOT / DIGITS)
    cfg.model.backbone.update(arch=ARCH, init_cfg=None, frozen_stages=1)
    cfg.model.head.in_channels = 24
    model = build(cfg).eval()
    data = DATASETS.build(cfg.test_dataloader.dataset)
    inputs = model.data_preprocessor(dict(inputs=data.images))['inputs']
    scores = []
    for weights in states:
        model.load_state_dict(weights)
        with torch.no_grad():
            scores.append(model.head(model.extract_feat(inputs)).softmax(1))
    return scores, data.labels


def test_frozen_weights_stay_bit_by_bit_as_pretrained(averaged_run):
    root, _ = averaged_run
    given = torch.load(root / 'stage_1.pth', weights_only=False)['state_dict']
    content = torch.load(root / 'run/epoch_3.pth', weights_only=False)
    frozen = ('cls_token', 'dist_token', 'pos_embed', 'patch_embed.', 'blocks.0.')
    keys = [k for k in given if k.startswith(tuple(f'backbone.{f}' for f in frozen))]
    assert len(keys) == 3 + 2 + 12
    for key in keys:
        assert torch.equal(given[key], content['state_dict'][key])
        assert torch.equal(given[key], content['ema_state_dict'][f'module.{key}'])
    moved = [k for k in given if k.startswith('backbone.') and k not in keys]
    assert not any(torch.equal(given[k], content['state_dict'][k]) for k in moved)


def test_a_finetuning_can_start_from_a_finetuned_checkpoint(averaged_run):
    root, _ = averaged_run
    path = root / 'run/epoch_3.pth'
    model = build(config(model__backbone__init_cfg__checkpoint=str(path)))
    averaged = torch.load(path, weights_only=False)['state_dict']
    for key, value in model.backbone.state_dict().items():
        assert torch.equal(value, averaged[f'backbone.{key}'])


def test_finetuning_at_another_size_warns_on_the_terminal(tmp_path, capfd):
    checkpoint = pretrained(tmp_path / 'stage_1.pth')  # of 8 x 8 patches
    run_tool(
        'train.py', ROOT / DIGITS, '--work-dir', tmp_path / 'run', '--cfg-options',
        *TINY, f'model.backbone.init_cfg.checkpoint={checkpoint}',
        'model.backbone.img_size=16', 'model.backbone.frozen_stages=1',
        'data_preprocessor.augment.size=16', 'train_cfg.max_epochs=1',
        'train_dataloader.dataset.source.indices=64',
        'train_dataloader.dataset.img_size=16', 'val_dataloader.dataset.img_size=16',
    )  # fmt: skip
    words = 'position embedding interpolated from 8x8 to 4x4 patches'
    assert capfd.readouterr().out.count(words) == 1
