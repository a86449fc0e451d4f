"""The terminal of a training: a live line, a line for each epoch, and warnings."""

import datetime
import logging
import re
import time

import torch
from mmengine import dist
from mmengine.hooks import Hook
from mmengine.logging import MMLogger
from mmengine.runner import IterBasedTrainLoop
from mmpretrain.registry import HOOKS
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Column, Table

from .unwrap import unwrap_model

MAX_LINES = 250  # of the epochs of a run
CLASS_PREFIX = 'IoU/'  # of the metrics with one value for each class
# Warnings that tell a user nothing: every frozen parameter, mmengine's own old calls.
NOISE = re.compile(
    'is skipped since its requires_grad=False|FileClient|HardDisk|The prefix is not set'
    '|in the "function" registry tree|is not defined in message_hub'
    '|Resumed iteration number is not divisible'  # we restore the gradients
)


@HOOKS.register_module()
class ProgressHook(Hook):
    """Print stage, epoch, losses, images/s and the time left, on the first process.

    A terminal gets a line that is redrawn in each step. A terminal, a pipe and a batch
    job get a line that stays: one for each epoch (of many epochs at most 250 lines),
    or, in a run that counts iterations, one before each validation. The full log is in
    the work dir.
    """

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.console = Console(highlight=False, soft_wrap=True)
        self.console.quiet = not dist.is_main_process()
        self.progress: Progress | None = None
        self.by_iterations = False  # the length of the run is given in iterations

    def before_train(self, runner) -> None:
        self.by_iterations = isinstance(runner.train_loop, IterBasedTrainLoop)
        self.console.print(f'log and checkpoints: {runner.work_dir}')
        self._run_started, self._first_iter = time.perf_counter(), runner.iter
        self._start_line()  # a resumed run may begin with a validation

    def before_train_epoch(self, runner) -> None:
        if not self._steps:
            self._start_line()
        if self.console.is_terminal and not self.console.quiet:
            self._start_live_line(runner)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self._images += len(data_batch['inputs']) * dist.get_world_size()
        self._steps += 1
        for key, value in (outputs or {}).items():
            total, number = self._sums.get(key, (0, 0))
            self._sums[key] = total + torch.as_tensor(value).detach(), number + 1
        if self.progress is not None:
            loss = float(outputs['loss'])
            speed = f'{self._images_per_second():,.0f} images/s'
            note = f'loss {loss:.4f}  {speed}  {self._time_left(runner)}'
            self.progress.update(self._task, advance=1, note=note)

    def after_train_epoch(self, runner) -> None:
        if self.progress is not None:
            self.progress.stop()
            self.progress = None
        done, total = runner.epoch + 1, runner.max_epochs
        if self.by_iterations or done % -(-total // MAX_LINES) == 0 or done == total:
            self._print_line(runner)

    def before_val_epoch(self, runner) -> None:
        if self.by_iterations:
            self._print_line(runner)
        self._val_started = time.perf_counter()

    def after_val_epoch(self, runner, metrics=None) -> None:
        self._print_metrics(metrics)
        self._line_started += time.perf_counter() - self._val_started

    def _print_metrics(self, metrics: dict | None) -> None:
        text = '  '.join(
            f'{key} {value:.2f}'
            for key, value in (metrics or {}).items()
            if not key.startswith(CLASS_PREFIX)
        )
        self.console.print(f'  validation: {text}')

    def after_test_epoch(self, runner, metrics=None) -> None:
        self._print_metrics(metrics)
        table = Table('class', Column('IoU (%)', justify='right'))
        for key, value in (metrics or {}).items():
            if key.startswith(CLASS_PREFIX):
                table.add_row(key.removeprefix(CLASS_PREFIX), f'{value:.2f}')
        if table.row_count:
            self.console.print(table)

    def _start_line(self) -> None:
        """Start counting for the next line that stays."""
        self._line_started = time.perf_counter()
        self._images, self._steps, self._sums = 0, 0, {}

    def _start_live_line(self, runner) -> None:
        self.progress = Progress(
            TextColumn('{task.description}'),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn('{task.fields[note]}'),
            console=self.console,
            transient=True,
        )
        if self.by_iterations:
            total, completed = runner.max_iters, runner.iter
        else:
            total = len(runner.train_dataloader)
            completed = getattr(runner.train_loop, 'batch', 0)
        self._task = self.progress.add_task(
            self._position(runner), total=total, completed=completed, note=''
        )
        self.progress.start()

    def _print_line(self, runner) -> None:
        """Print the mean losses and the speed of all steps since the last line."""
        if not self._steps:
            return
        means = {k: float(total) / n for k, (total, n) in self._sums.items()}
        if len([key for key in means if key.startswith('loss')]) == 2:
            del means['loss']  # it equals the loss of the only branch
        losses = '  '.join(f'{k} {v:.4f}' for k, v in means.items())
        speed = f'{self._images_per_second():,.0f} images/s'
        self.console.print(
            f'{self._position(runner)}  {losses}  {speed}  {self._time_left(runner)}'
        )
        self._start_line()

    def _position(self, runner) -> str:
        """Return 'stage 2/4  epoch 51/200', without the stage if there is only one."""
        if self.by_iterations:
            return f'iteration {runner.iter}/{runner.max_iters}'
        stages = runner.message_hub.runtime_info.get('num_stages', 1)
        stage = unwrap_model(runner.model).stage if stages > 1 else 1
        prefix = f'stage {stage}/{stages}  ' if stages > 1 else ''
        return f'{prefix}epoch {runner.epoch + 1}/{runner.max_epochs}'

    def _time_left(self, runner) -> str:
        seconds = time.perf_counter() - self._run_started
        seconds_per_step = seconds / max(runner.iter - self._first_iter, 1)
        left = round(seconds_per_step * (runner.max_iters - runner.iter))
        return f'{datetime.timedelta(seconds=left)} left'

    def _images_per_second(self) -> float:
        return self._images / (time.perf_counter() - self._line_started)


def keep_quiet(logger: MMLogger) -> MMLogger:
    """Show only warnings on the terminal; the log file gets everything."""
    for handler in logger.handlers:
        if type(handler) is logging.StreamHandler:
            handler.setLevel(max(handler.level, logging.WARNING))
            handler.addFilter(lambda record: not NOISE.search(record.getMessage()))
    return logger
