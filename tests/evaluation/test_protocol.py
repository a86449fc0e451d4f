"""What holds of every evaluation: a frozen encoder, every test image once, ..."""

import os
import pickle
import random
import re
import shlex
import subprocess
import sys
from functools import lru_cache

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.optim import build_optim_wrapper
from mmpretrain.models.heads import LinearClsHead
from mmpretrain.registry import DATASETS, HOOKS, MODELS, PARAM_SCHEDULERS, TRANSFORMS
from PIL import Image
from torch import nn

from bootmae_plugin import UserError
from bootmae_plugin.evaluation import FeatureSet, linear_probe
from bootmae_plugin.evaluation.linear_probe import compact, fit, standardiser
from bootmae_plugin.models import MaskedDeiT
from tests.tiny import ROOT, run_tool

LINEAR = ROOT / 'configs/benchmarks/linear/deit-tiny_digits.py'
ARCH = dict(embed_dims=24, num_layers=2, num_heads=2)
TINY = [
    *(f'model.backbone.arch.{k}={v}' for k, v in ARCH.items()),
    'model.neck.input_features=24',
    'model.head.in_channels=24',
]
CLASSIFICATION = sorted(
    path.relative_to(ROOT / 'configs/benchmarks')
    for path in (ROOT / 'configs/benchmarks').rglob('*.py')
    if 'segmentation' not in path.parts
)


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    """An encoder with random weights, as a pretraining would leave one."""
    torch.manual_seed(0)
    model = MaskedDeiT(arch=ARCH, img_size=32, patch_size=4)
    path = tmp_path_factory.mktemp('protocol') / 'encoder.pth'
    torch.save({f'backbone.{k}': v for k, v in model.state_dict().items()}, path)
    return path


def train(checkpoint, work_dir, *options, config=LINEAR):
    run_tool(
        'train.py', config, '--work-dir', work_dir, '--cfg-options', *TINY,
        f'model.backbone.init_cfg.checkpoint={checkpoint}',
        'train_cfg.max_epochs=2', 'train_cfg.val_interval=2', *options,
    )  # fmt: skip


class Watch(Hook):
    """Keeps what a training started with and ended with, bit by bit."""

    def state(self, module: nn.Module) -> dict:
        return {k: v.numpy().tobytes() for k, v in module.state_dict().items()}

    def before_train(self, runner):
        self.before, self.training = self.state(runner.model), set()
        Watch.last = self

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        modules = runner.model.backbone.modules()
        self.training.update(type(m).__name__ for m in modules if m.training)

    def after_train(self, runner):
        after = self.state(runner.model)
        self.changed = {key for key in after if self.before[key] != after[key]}


@pytest.mark.parametrize('frozen', [2, 1])
def test_the_frozen_encoder_does_not_change_by_a_bit(frozen, checkpoint, tmp_path):
    HOOKS.register_module(module=Watch, force=True)
    config = tmp_path / 'config.py'
    config.write_text(
        f"_base_ = {str(LINEAR)!r}\ncustom_hooks = [dict(type='Watch')]\n"
    )
    train(
        checkpoint, tmp_path / 'run', f'model.backbone.frozen_stages={frozen}',
        'model.backbone.drop_path_rate=0.5', 'optim_wrapper.optimizer.weight_decay=0.1',
        config=config,
    )  # fmt: skip
    changed, training = Watch.last.changed, Watch.last.training
    rest = {k for k in changed if not k.startswith('backbone.')}
    assert rest == {
        'head.fc.weight', 'head.fc.bias', 'neck.bn.running_mean', 'neck.bn.running_var',
        'neck.bn.num_batches_tracked',
    }  # fmt: skip
    if frozen == 2:
        assert changed == rest
        # The encoder itself, a container, may say that it trains; no layer of it does.
        assert training <= {'MaskedDeiT', 'Module', 'ModuleList'}
    else:  # one block is trained: the comparison sees it
        blocks = {k.split('.')[2] for k in changed - rest if 'blocks' in k}
        assert blocks == {'1'}
        assert 'DropPath' in training or 'Block' in training


@pytest.fixture(scope='module')
def trained(checkpoint, tmp_path_factory):
    work_dir = tmp_path_factory.mktemp('trained')
    train(checkpoint, work_dir, 'model.backbone.frozen_stages=2')
    return work_dir / 'epoch_2.pth'


TEST_IMAGES = 101  # not a multiple of any batch size or number of processes here
TEST = ['test_dataloader.dataset.source.indices=101', 'model.backbone.frozen_stages=2']


def predictions(path) -> list[dict]:
    """Of test.py: every image once, in order."""
    results = pickle.loads(path.read_bytes())
    assert [r['sample_idx'] for r in results] == list(range(TEST_IMAGES))
    return results


def top1(printed: str, results: list[dict]) -> float:
    """The printed accuracy, which is that of the predictions."""
    value = float(re.findall(r'accuracy/top1 ([\d.]+)', printed)[-1])
    right = [int(r['pred_label']) == int(r['gt_label']) for r in results]
    assert value == pytest.approx(100 * sum(right) / TEST_IMAGES, abs=0.006)
    return value


def test_evaluation_is_deterministic_and_independent_of_the_batch(
    trained, tmp_path, capfd
):
    runs = {}
    for name, batch_size in (('a', 7), ('b', 250), ('again', 250)):
        out = tmp_path / f'{name}.pkl'
        run_tool(
            'test.py', LINEAR, trained, '--out', out, '--work-dir', tmp_path / name,
            '--cfg-options', *TINY, *TEST, f'test_dataloader.batch_size={batch_size}',
        )  # fmt: skip
        results = predictions(out)
        runs[name] = top1(capfd.readouterr().out, results), results
    (accuracy, small), (_, large), (_, again) = runs.values()
    assert [run[0] for run in runs.values()] == [accuracy] * 3
    for x, y, z in zip(small, large, again, strict=True):
        assert int(x['pred_label']) == int(y['pred_label'])
        assert torch.allclose(x['pred_score'], y['pred_score'], atol=1e-5)
        assert torch.equal(y['pred_score'], z['pred_score'])

    # With two processes one image is padded; it is counted once all the same.
    out = tmp_path / 'two.pkl'
    result = subprocess.run(
        ['bash', str(ROOT / 'tools/dist_test.sh'), str(LINEAR), str(trained), '2',
         '--out', str(out), '--work-dir', str(tmp_path / 'two'), '--cfg-options',
         *TINY, *TEST, 'test_dataloader.batch_size=7'],
        env=dict(os.environ, PYTHON=sys.executable),
        capture_output=True, text=True, timeout=300, cwd=tmp_path,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
    both = predictions(out)
    assert top1(result.stdout, both) == accuracy
    assert all(
        torch.allclose(x['pred_score'], y['pred_score'], atol=1e-5)
        for x, y in zip(both, small, strict=True)
    )


@lru_cache
def four_images(**dataset):
    """What a config's data set in memory makes of images of another size."""
    source = dict(type='Digits', split='test', indices=4)
    return DATASETS.build(dict(dataset, source=source)).__getitems__(range(4))


def seed_all(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


@pytest.mark.parametrize('name', CLASSIFICATION, ids=str)
def test_test_images_are_never_augmented(name, tmp_path):
    """Two passes over a test image give one input; of a training image they differ."""
    cfg = Config.fromfile(ROOT / 'configs/benchmarks' / name)
    preprocess = MODELS.build(cfg.data_preprocessor)
    path = tmp_path / 'image.jpg'
    Image.effect_noise((300, 260), 60).convert('RGB').save(path)

    def inputs(loader: str, seed: int) -> torch.Tensor:
        dataset, training = dict(cfg[loader].dataset), loader == 'train_dataloader'
        if dataset.pop('type') == 'InMemoryImages':
            del dataset['source']
            batch = four_images(type='InMemoryImages', **dataset)
            seed_all(seed)
            return preprocess(batch, training)['inputs']
        steps = [TRANSFORMS.build(t) for t in dataset['pipeline']]
        drawn = [t for t in steps if re.search('Rand|Jitter|Auto', type(t).__name__)]
        assert bool(drawn) == training
        seed_all(seed)
        samples = [Compose(steps)(dict(img_path=str(path), gt_label=1)) for _ in '12']
        batch = {k: [s[k] for s in samples] for k in ('inputs', 'data_samples')}
        return preprocess(batch, training)['inputs']

    for loader in ('val_dataloader', 'test_dataloader'):
        assert torch.equal(inputs(loader, 0), inputs(loader, 1))
    first, second = (inputs('train_dataloader', seed) for seed in (0, 1))
    assert not torch.equal(first, second)


def test_the_cache_tells_settings_apart(checkpoint, tmp_path):
    """Each change makes features anew, of the sets it concerns; none makes none."""
    common = [
        LINEAR, checkpoint, '--cache', tmp_path, '--pool', 'avg', '-k', 5,
        '--cfg-options', *TINY[:3], 'train_dataloader.dataset.source.indices=40',
        'test_dataloader.dataset.source.indices=20',
    ]  # fmt: skip

    def made(*words) -> int:
        before = len(list(tmp_path.iterdir()))
        run_tool('knn.py', *common, *words)
        return len(list(tmp_path.iterdir())) - before

    assert made() == 2
    assert made() == 0
    assert made('data_preprocessor.augment=None') == 0
    assert made('data_preprocessor.mean=[76.0,77.0,77.0]') == 2
    assert made('data_preprocessor.std=[87.0,88.0,88.0]') == 2
    assert made('data_preprocessor.to_rgb=True') == 2
    assert made('model.backbone.arch.num_heads=3') == 2  # no weight changes its shape
    assert made('train_dataloader.dataset.source.indices=39') == 1
    assert made('--block', 0) == 2
    assert made('--flip') == 1
    assert made('--flip', '--block', 0) == 1
    assert made() == 0


@pytest.mark.parametrize('optimiser', ['SGD', 'LARS'])
def test_fit_is_the_config_routes_training(optimiser):
    """Head, optimiser and schedule as the configs build them, on the same batches."""
    x, y = torch.randn(70, 12), torch.randint(0, 3, (70,))
    rate, decay, epochs, batch = 0.8, 0.01, 4, 16
    cfg = Config.fromfile(LINEAR)
    cfg.optim_wrapper.optimizer.update(
        type=optimiser, lr=rate * batch / 512, weight_decay=decay
    )
    ours = fit(
        x, y, 3, [(0.1, 0.0), (rate, decay)], epochs, 5, optimiser.lower(), batch
    )
    generator = torch.Generator().manual_seed(5)
    head = LinearClsHead(3, 12)
    with torch.no_grad():
        head.fc.weight.copy_(0.01 * torch.randn(3, 12, generator=generator))
        head.fc.bias.zero_()
    wrapper = build_optim_wrapper(head, cfg.optim_wrapper)
    scheduler = PARAM_SCHEDULERS.build(
        dict(cfg.param_scheduler, end=epochs),
        default_args=dict(optimizer=wrapper, epoch_length=70 // batch),
    )
    for _ in range(epochs):
        order = torch.randperm(70, generator=generator)
        for ids in order.split(batch)[: 70 // batch]:
            wrapper.update_params(F.cross_entropy(head.fc(x[ids]), y[ids]))
            scheduler.step()
    assert torch.allclose(ours.weight[1], head.fc.weight, atol=1e-6)
    assert torch.allclose(ours.bias[1], head.fc.bias, atol=1e-6)
    assert not torch.allclose(ours.bias[0], head.fc.bias, atol=1e-6)


def test_wide_features_are_standardised_and_rounded_at_most():
    x = torch.randn(50, 1500) * 3 + 2
    ours = compact(x, *standardiser(x)).float()
    bn = nn.BatchNorm1d(1500, affine=False).train()
    assert torch.allclose(ours, bn(x), atol=0.02)  # bfloat16 keeps 8 bits
    narrow = x[:, :20]
    exact = nn.BatchNorm1d(20, affine=False, eps=1e-6).train()(narrow)
    assert torch.allclose(compact(narrow, *standardiser(narrow)), exact, atol=1e-4)
    data = FeatureSet(*[x, torch.arange(50) % 2] * 2)
    with pytest.raises(UserError, match='unknown optimiser'):
        linear_probe(data, optimiser='adam')


def test_both_routes_agree(checkpoint, tmp_path, capfd, monkeypatch):
    """The fast route prints the command of the slow one; 1 image of 360 is 0.28 %."""
    monkeypatch.chdir(ROOT)
    run_tool(
        'linear_probe.py', LINEAR, checkpoint, '--cache', tmp_path, '--epochs', 10,
        '--batch-size', 64, '--commands', '--cfg-options', *TINY[:3],
        'model.backbone.frozen_stages=2',
    )  # fmt: skip
    out = capfd.readouterr().out
    fast = float(re.search(r'([\d.]+) ± ', out)[1])
    python, tool, *words = shlex.split(out.splitlines()[-1])
    assert (python, tool) == ('python', 'tools/train.py')
    run_tool('train.py', *words, 'train_cfg.val_interval=10', '--work-dir', tmp_path)
    printed = capfd.readouterr().out
    slow = float(re.findall(r'accuracy/top1 ([\d.]+)', printed)[-1])
    assert abs(fast - slow) < 3
    assert fast > 50
