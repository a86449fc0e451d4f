"""The terminal of a training run: one live line, and one kept line an epoch."""

import datetime
import time

import torch
from mmengine import dist
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmpretrain.registry import HOOKS
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn


@HOOKS.register_module()
class ProgressHook(Hook):
    """Stage, epoch, losses, images/s and time left on the terminal of rank 0.

    The full log is in the work dir; this is what a person watches. Where a line cannot
    be redrawn (a pipe, a batch job) only the line an epoch is printed.
    """

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.console = Console(highlight=False, soft_wrap=True)
        self.console.quiet = not dist.is_main_process()
        self.progress: Progress | None = None

    def before_train(self, runner) -> None:
        self.console.print(f'log and checkpoints: {runner.work_dir}')
        self._started, self._first_iter = time.perf_counter(), runner.iter

    def before_train_epoch(self, runner) -> None:
        self._epoch_started = time.perf_counter()
        self._images, self._steps, self._sums = 0, 0, {}
        if self.console.is_terminal and not self.console.quiet:
            columns = ('{task.description}', '{task.fields[note]}')
            self.progress = Progress(
                TextColumn(columns[0]),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn(columns[1]),
                console=self.console,
                transient=True,
            )
            length = len(runner.train_dataloader)
            self._task = self.progress.add_task(where(runner), total=length, note='')
            self.progress.start()

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self._images += len(data_batch['inputs']) * dist.get_world_size()
        self._steps += 1
        for key, value in (outputs or {}).items():
            self._sums[key] = self._sums.get(key, 0) + torch.as_tensor(value).detach()
        if self.progress is not None:
            loss = float(outputs['loss'])
            note = (
                f'loss {loss:.4f}  {self._rate():,.0f} images/s  {self._left(runner)}'
            )
            self.progress.update(self._task, advance=1, note=note)

    def after_train_epoch(self, runner) -> None:
        if self.progress is not None:
            self.progress.stop()
            self.progress = None
        means = {k: float(v) / self._steps for k, v in self._sums.items()}
        if len([key for key in means if key.startswith('loss')]) == 2:
            del means['loss']  # the only branch's loss is the loss
        losses = '  '.join(f'{k} {v:.4f}' for k, v in means.items())
        rate = f'{self._rate():,.0f} images/s'
        self.console.print(f'{where(runner)}  {losses}  {rate}  {self._left(runner)}')

    def after_val_epoch(self, runner, metrics=None) -> None:
        text = '  '.join(f'{k} {v:.2f}' for k, v in (metrics or {}).items())
        self.console.print(f'  validation: {text}')

    after_test_epoch = after_val_epoch

    def _left(self, runner) -> str:
        done = runner.iter - self._first_iter
        pace = (time.perf_counter() - self._started) / max(done, 1)
        seconds = round(pace * (runner.max_iters - runner.iter))
        return f'{datetime.timedelta(seconds=seconds)} left'

    def _rate(self) -> float:
        return self._images / (time.perf_counter() - self._epoch_started)


def where(runner) -> str:
    """'stage 2/4  epoch 51/200', or without the stage where there is but one."""
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    stages = runner.message_hub.runtime_info.get('num_stages', 1)
    stage = f'stage {model.stage}/{stages}  ' if stages > 1 else ''
    return f'{stage}epoch {runner.epoch + 1}/{runner.max_epochs}'
