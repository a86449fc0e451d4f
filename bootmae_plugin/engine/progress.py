"""The terminal of a training run: one live line, and one kept line an epoch."""

import datetime
import time

import torch
from mmengine import dist
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop
from mmpretrain.registry import HOOKS
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Column, Table

from .unwrap import unwrap_model

A_CLASS = 'IoU/'  # of a metric that has one value a class


@HOOKS.register_module()
class ProgressHook(Hook):
    """Stage, epoch, losses, images/s and time left on the terminal of rank 0.

    The full log is in the work dir; this is what a person watches. Where a line cannot
    be redrawn (a pipe, a batch job) only the kept lines are printed: one an epoch, or,
    in a run that counts iterations, one before each validation.
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
        self._reset()
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
            done = getattr(runner.train_loop, 'batch', 0)
            if counts_iterations(runner):
                length, done = runner.max_iters, runner.iter
            self._task = self.progress.add_task(
                where(runner), total=length, completed=done, note=''
            )
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
        self._line(runner)

    def before_val_epoch(self, runner) -> None:
        if counts_iterations(runner):
            self._line(runner)

    def after_val_epoch(self, runner, metrics=None) -> None:
        text = '  '.join(
            f'{key} {value:.2f}'
            for key, value in (metrics or {}).items()
            if not key.startswith(A_CLASS)
        )
        self.console.print(f'  validation: {text}')
        if counts_iterations(runner):
            self._reset()  # the time of the validation is not the training's

    def after_test_epoch(self, runner, metrics=None) -> None:
        self.after_val_epoch(runner, metrics)
        classes = {k: v for k, v in (metrics or {}).items() if k.startswith(A_CLASS)}
        if classes:
            table = Table('class', Column('IoU (%)', justify='right'))
            for key, value in classes.items():
                table.add_row(key.removeprefix(A_CLASS), f'{value:.2f}')
            self.console.print(table)

    def _reset(self) -> None:
        self._since = time.perf_counter()
        self._images, self._steps, self._sums = 0, 0, {}

    def _line(self, runner) -> None:
        """The kept line, of all steps since the one before."""
        if not self._steps:
            return
        means = {k: float(v) / self._steps for k, v in self._sums.items()}
        if len([key for key in means if key.startswith('loss')]) == 2:
            del means['loss']  # the only branch's loss is the loss
        losses = '  '.join(f'{k} {v:.4f}' for k, v in means.items())
        rate = f'{self._rate():,.0f} images/s'
        self.console.print(f'{where(runner)}  {losses}  {rate}  {self._left(runner)}')
        self._reset()

    def _left(self, runner) -> str:
        done = runner.iter - self._first_iter
        pace = (time.perf_counter() - self._started) / max(done, 1)
        seconds = round(pace * (runner.max_iters - runner.iter))
        return f'{datetime.timedelta(seconds=seconds)} left'

    def _rate(self) -> float:
        return self._images / (time.perf_counter() - self._since)


def counts_iterations(runner) -> bool:
    """Whether the run is measured in iterations, not in epochs."""
    return isinstance(runner._train_loop, IterBasedTrainLoop)


def where(runner) -> str:
    """'stage 2/4  epoch 51/200', or without the stage where there is but one."""
    if counts_iterations(runner):
        return f'iteration {runner.iter}/{runner.max_iters}'
    model = unwrap_model(runner.model)
    stages = runner.message_hub.runtime_info.get('num_stages', 1)
    stage = f'stage {model.stage}/{stages}  ' if stages > 1 else ''
    return f'{stage}epoch {runner.epoch + 1}/{runner.max_epochs}'
