"""Rules of every evaluation: frozen encoder, no test image augmented or twice."""

import csv
import pickle
import random
import re
import shlex
from functools import lru_cache

import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.hooks import Hook
from mmpretrain.registry import DATASETS, HOOKS, MODELS, TRANSFORMS
from PIL import Image
from torch import nn

from bootmae_plugin.models import MaskedDeiT
from tests.config_files import OTHERS
from tests.processes import run_in_two
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
    if not {*path.parts} & {*OTHERS}
)


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    """A checkpoint of an encoder with random weights."""
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
    """Compares the state of a training before and after, bit by bit."""

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
        # The encoder itself, a container, may be in training mode; none of its layers.
        assert training <= {'MaskedDeiT', 'Module', 'ModuleList'}
    else:  # one block is trained, and found changed
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
    """Read the predictions of test.py: every image once, in order."""
    results = pickle.loads(path.read_bytes())
    assert [r['sample_idx'] for r in results] == list(range(TEST_IMAGES))
    return results


def top1(printed: str, results: list[dict]) -> float:
    """Return the printed accuracy; it is that of the predictions."""
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
            '--csv', tmp_path / 'results.csv', '--cfg-options', *TINY, *TEST,
            f'test_dataloader.batch_size={batch_size}',
        )  # fmt: skip
        results = predictions(out)
        runs[name] = top1(capfd.readouterr().out, results), results
    (accuracy, small), (_, large), (_, again) = runs.values()
    assert [run[0] for run in runs.values()] == [accuracy] * 3
    with (tmp_path / 'results.csv').open(newline='') as file:
        rows = list(csv.DictReader(file))
    assert [float(row['mean']) for row in rows] == [accuracy] * 3
    assert {row['protocol'] for row in rows} == {'accuracy/top1'}
    assert {row['checkpoint'] for row in rows} == {str(trained)}
    for x, y, z in zip(small, large, again, strict=True):
        assert int(x['pred_label']) == int(y['pred_label'])
        assert torch.allclose(x['pred_score'], y['pred_score'], atol=1e-5)
        assert torch.equal(y['pred_score'], z['pred_score'])

    # Two processes get one image twice to be equally long; it is counted once.
    out = tmp_path / 'two.pkl'
    run_in_two(
        run_tool, 'test.py', LINEAR, trained, '--launcher', 'pytorch', '--out', out,
        '--work-dir', tmp_path / 'two', '--cfg-options', *TINY, *TEST,
        'test_dataloader.batch_size=7',
    )  # fmt: skip
    both = predictions(out)
    assert top1(capfd.readouterr().out, both) == accuracy
    assert all(
        torch.allclose(x['pred_score'], y['pred_score'], atol=1e-5)
        for x, y in zip(both, small, strict=True)
    )


@lru_cache
def four_images(**dataset):
    """Four digits, at the size of a config's data set in memory."""
    source = dict(type='Digits', split='test', indices=4)
    return DATASETS.build(dict(dataset, source=source)).__getitems__(range(4))


def seed_all(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


@pytest.mark.parametrize('name', CLASSIFICATION, ids=str)
def test_test_images_are_never_augmented(name, tmp_path):
    """Two passes over a test image give the same input; over a training image not."""
    cfg = Config.fromfile(ROOT / 'configs/benchmarks' / name)
    preprocess = MODELS.build(cfg.data_preprocessor)
    path = tmp_path / 'image.jpg'
    Image.effect_noise((300, 260), 60).convert('RGB').save(path)

    def inputs(loader: str, seed: int) -> torch.Tensor:
        dataset, training = dict(cfg[loader].dataset), loader == 'train_dataloader'
        if dataset.pop('type') == 'InMemoryImages':
            del dataset['source']
            dataset.pop('pipeline', None)  # that of mmpretrain's inferencers
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


def test_settings_have_features_of_their_own(checkpoint, tmp_path):
    """Each change extracts the features again, of the data sets that it concerns."""
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


def test_the_probe_and_the_training_agree(checkpoint, tmp_path, capfd, monkeypatch):
    """linear-probe prints the command; 1 image of 360 is 0.28 %."""
    monkeypatch.chdir(ROOT)
    run_tool(
        'linear_probe.py', LINEAR, checkpoint, '--cache', tmp_path, '--epochs', 10,
        '--batch-size', 64, '--commands', '--cfg-options', *TINY[:3],
        'model.backbone.frozen_stages=2',
    )  # fmt: skip
    out = capfd.readouterr().out
    fast = float(re.search(r'([\d.]+) ± ', out)[1])
    program, tool, *words = shlex.split(out.splitlines()[-1])
    assert (program, tool) == ('bootmae', 'train')
    run_tool('train.py', *words, 'train_cfg.val_interval=10', '--work-dir', tmp_path)
    printed = capfd.readouterr().out
    slow = float(re.findall(r'accuracy/top1 ([\d.]+)', printed)[-1])
    assert abs(fast - slow) < 3
    assert fast > 50
