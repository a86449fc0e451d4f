"""What tools/benchmark.py measures around the step: data, whole loops, processes."""

import tempfile
import time
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.registry import DATASETS, HOOKS, MODELS, RUNNERS

from .peers import SHAPES, make_step, mmpretrain_config
from .timing import interleave, ratio, seconds

ROOT = Path(__file__).resolve().parents[3]
BATCH = 128
# mmpretrain's route for CIFAR: one sample after the other, then the collate function.
PIPELINE = [
    dict(type='RandomResizedCrop', scale=32, crop_ratio_range=(0.2, 1.0),
         backend='pillow', interpolation='bicubic'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackInputs'),
]  # fmt: skip


@DATASETS.register_module()
class NoiseImages(BaseDataset):
    """Images of noise, held as mmpretrain's CIFAR10 holds its own."""

    METAINFO = dict(classes=[str(i) for i in range(10)])

    def __init__(self, count: int, **kwargs) -> None:
        self.count = count
        super().__init__(**kwargs)

    def load_data_list(self) -> list[dict]:
        pixels = np.random.default_rng(0).integers(
            0, 256, (self.count, 32, 32, 3), dtype=np.uint8
        )
        return [dict(img=img, gt_label=i % 10) for i, img in enumerate(pixels)]


def loader(kind: str, count: int) -> dict:
    """A data loader config of this plugin ('ours') or of mmpretrain's own."""
    source = dict(type='NoiseImages', count=count)
    if kind == 'ours':
        dataset = dict(type='InMemoryImages', source=source, with_label=False)
    else:
        dataset = dict(source, pipeline=PIPELINE)
    return dict(
        batch_size=BATCH,
        num_workers=0,
        drop_last=True,
        sampler=dict(type='DefaultSampler', shuffle=True),
        collate_fn=dict(type='whole_batch' if kind == 'ours' else 'default_collate'),
        dataset=dataset,
    )


def preprocessor(kind: str) -> dict:
    norm = dict(mean=[125.3, 123.0, 113.9], std=[51.6, 50.8, 51.3])
    if kind == 'ours':
        augment = dict(type='BatchRandomResizedCrop', size=32, scale=(0.2, 1.0))
        return dict(norm, type='BatchDataPreprocessor', augment=augment)
    return dict(norm, type='SelfSupDataPreprocessor', to_rgb=True)


def data_routes(rounds: int) -> dict:
    """From the data set in memory to the model's input, on one core."""
    threads, count = torch.get_num_threads(), 2048
    torch.set_num_threads(1)

    def route(kind):
        data = Runner.build_dataloader(loader(kind, count), seed=0)
        prepare = MODELS.build(preprocessor(kind))

        def work():
            for batch in data:
                assert prepare(batch, training=True)['inputs'].shape[1:] == (3, 32, 32)

        return work

    kinds = ('ours', 'mmpretrain')
    times = interleave({k: partial(seconds, route(k)) for k in kinds}, rounds)
    torch.set_num_threads(threads)
    rows = [
        {
            'step': name,
            'images/s': round(count / median(values)),
            'x mmpretrain': round(ratio(times, 'mmpretrain', name), 2),
        }
        for name, values in times.items()
    ]
    title = 'random resized crop + flip, 32x32, one core, up to the model input'
    return dict(title=title, rows=rows, times=times)


@HOOKS.register_module()
class BareStepHook(Hook):
    """Times the epochs and, after each, as many bare steps on one batch."""

    priority = 'HIGHEST'
    times: dict[str, list[float]] = {}

    def before_train_epoch(self, runner) -> None:
        self.start = time.perf_counter()

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.batch = data_batch

    def after_train_epoch(self, runner) -> None:
        self.times.setdefault('loop', []).append(time.perf_counter() - self.start)
        prepare, model = runner.model.data_preprocessor, runner.model
        data = prepare(self.batch, True)
        start = time.perf_counter()
        for _ in range(len(runner.train_dataloader)):
            with runner.optim_wrapper.optim_context(model):
                losses = model(**data, mode='loss')
            total, _ = model.parse_losses(losses)
            runner.optim_wrapper.update_params(total)
        self.times.setdefault('bare', []).append(time.perf_counter() - start)


def runner_loop(kind: str, rounds: int, work_dir: str) -> dict[str, list[float]]:
    count = 4 * BATCH
    cfg = Config.fromfile(ROOT / 'configs/selfsup/mae_deit-tiny_cifar10.py')
    cfg.work_dir, cfg.launcher = f'{work_dir}/{kind}', 'none'
    cfg.train_cfg.max_epochs = rounds + 1
    cfg.data_preprocessor = preprocessor(kind)
    cfg.train_dataloader = loader(kind, count)
    cfg.default_hooks.checkpoint.interval = 10**6
    cfg.default_hooks.checkpoint.save_last = False
    cfg.custom_hooks = [dict(type='BareStepHook')]
    cfg.runner_type = 'mmpretrain.PluginRunner'
    if kind == 'mmpretrain':
        cfg.runner_type = 'Runner'
        cfg.log_level = 'ERROR'
        cfg.param_scheduler = []
        cfg.default_hooks.pop('bootstrap', None)
        cfg.optim_wrapper = dict(optimizer=dict(type='AdamW', lr=1e-4))
        cfg.model = mmpretrain_config(SHAPES['deit-tiny'])
    BareStepHook.times = {}
    RUNNERS.build(cfg).train()
    return {key: values[1:] for key, values in BareStepHook.times.items()}


def runner_loops(rounds: int) -> dict:
    """Whole epochs of the Runner, beside as many bare steps in turns."""
    times = {}
    with tempfile.TemporaryDirectory() as work_dir:
        for kind in ('ours', 'mmpretrain'):
            for key, values in runner_loop(kind, rounds, work_dir).items():
                times[f'{kind} {key}'] = values
    rows = [
        {
            'step': f"{kind}'s Runner",
            'images/s': round(4 * BATCH / median(times[f'{kind} loop'])),
            'x bare step': round(ratio(times, f'{kind} bare', f'{kind} loop'), 3),
            'x mmpretrain': round(ratio(times, 'mmpretrain loop', f'{kind} loop'), 2),
        }
        for kind in ('ours', 'mmpretrain')
    ]
    return dict(title=f'whole loop, deit-tiny, batch {BATCH}', rows=rows, times=times)


def _work(rank: int, folder: str, shape: str, rounds: int) -> None:
    from mmengine.registry import init_default_scope

    import bootmae_plugin  # noqa: F401

    torch.set_num_threads(1)
    init_default_scope('mmpretrain')
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2
    )
    images = torch.randn(BATCH, 3, 32, 32)
    alone = partial(make_step('ours', SHAPES[shape]), images)
    together = partial(make_step('ours', SHAPES[shape], parallel=True), images)
    a, b = torch.randn(2, 2048, 2048).bfloat16()
    product = partial(torch.mm, a, b)
    # (what, on both processes)
    work = {
        '1 process': (alone, False),
        '2 processes': (together, True),
        'matrix product, 1 process': (product, False),
        'matrix product, 2 processes': (product, True),
    }
    times = {name: [] for name in work}
    for i in range(rounds + 1):
        for name, (call, both) in work.items():
            torch.distributed.barrier()
            start = time.perf_counter()
            if both or rank == 0:
                call()
            if i > 0:
                times[name].append(time.perf_counter() - start)
    if rank == 0:
        torch.save(times, f'{folder}/times.pt')
    torch.distributed.destroy_process_group()


def processes(shape: str, rounds: int) -> dict:
    """One process of one thread against two with gradients averaged by gloo."""
    with tempfile.TemporaryDirectory() as folder:
        torch.multiprocessing.spawn(_work, (folder, shape, rounds), nprocs=2)
        times = torch.load(f'{folder}/times.pt', weights_only=True)
    rows = []
    for name in ('1 process', '2 processes'):
        share = {k: ratio(times, f'{k}1 process', k + name) for k in PREFIXES}
        count = int(name[0])
        rows.append(
            {
                'step': name,
                'images/s': round(count * BATCH / median(times[name])),
                'x 1 process': round(count * share[''], 2),
                'x, matrix products alone': round(count * share[PREFIXES[1]], 2),
            }
        )
    return dict(title=f'processes of one thread, {shape}', rows=rows, times=times)


PREFIXES = ('', 'matrix product, ')
