"""Whole epochs of the Runner against as many bare steps."""

import argparse
import contextlib
import io
import tempfile
import time
from pathlib import Path
from statistics import median

from mmengine.config import Config
from mmengine.hooks import Hook
from mmpretrain.registry import HOOKS, RUNNERS

from .data_routes import BATCH, loader_config, preprocessor_config
from .peers import SHAPES, mmpretrain_config
from .progress import Progress
from .timing import speedup

CONFIG = (
    Path(__file__).resolve().parents[3] / 'configs/selfsup/mae_deit-tiny_cifar10.py'
)


@HOOKS.register_module()
class BareStepHook(Hook):
    """Times each epoch and, after it, as many bare steps on one batch."""

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


def run_epochs(kind: str, rounds: int, work_dir: str) -> dict[str, list[float]]:
    """Train with our Runner or mmpretrain's; return the seconds of epochs and steps."""
    cfg = Config.fromfile(CONFIG)
    cfg.work_dir, cfg.launcher = f'{work_dir}/{kind}', 'none'
    cfg.train_cfg.max_epochs = rounds + 1
    cfg.data_preprocessor = preprocessor_config(kind)
    cfg.train_dataloader = loader_config(kind, 4 * BATCH)
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
    with contextlib.redirect_stdout(io.StringIO()):  # the losses of noise
        RUNNERS.build(cfg).train()
    return {key: values[1:] for key, values in BareStepHook.times.items()}


def measure_loop(args: argparse.Namespace, progress: Progress) -> dict:
    """Measure how much of the time of an epoch is not the step itself."""
    times = {}
    with tempfile.TemporaryDirectory() as work_dir:
        for kind in ('ours', 'mmpretrain'):
            progress.step(f"{args.rounds + 1} epochs of {kind}'s Runner")
            for key, values in run_epochs(kind, args.rounds, work_dir).items():
                times[f'{kind} {key}'] = values
    rows = [
        {
            'step': f"{kind}'s Runner",
            'images/s': round(4 * BATCH / median(times[f'{kind} loop'])),
            'x bare step': round(speedup(times, f'{kind} bare', f'{kind} loop'), 3),
            'x mmpretrain': round(speedup(times, 'mmpretrain loop', f'{kind} loop'), 2),
        }
        for kind in ('ours', 'mmpretrain')
    ]
    return dict(title=f'whole loop, deit-tiny, batch {BATCH}', rows=rows, times=times)
