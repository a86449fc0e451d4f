"""The hook that estimates the time of a run, and fits the run into a given time."""

import logging
import math
import time
from collections.abc import Callable
from itertools import pairwise

import torch
from mmengine import dist
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmpretrain.registry import HOOKS

from ..engine.bootstrap import BootstrapHook
from ..errors import UserError, check
from ..flops import stage_costs
from .loops import ExactEpochLoop
from .rescale import base_rates, replay_schedule
from .work_dir import agree

SKIPPED, MEASURED = 2, 10  # steps: the first ones allocate memory
TOLD = 60.0  # seconds: of a shorter run no estimate is printed
PARTS = 10  # of the run: its length is corrected after each
TOLERANCE = 0.02  # of the time: what is not corrected
BUDGET = 'budget'  # in the message hub, and so in every checkpoint

clock = time.monotonic


@HOOKS.register_module()
class BudgetHook(Hook):
    """Estimate the time of a run from its first steps; fit it into ``hours``.

    The time of a step in later stages follows from the FLOPs of the stages. With
    ``hours`` the number of epochs is set so that the run, with all its stages and its
    learning-rate schedule, ends in time. It is corrected after each tenth of the run,
    once an epoch of stage 2 has ended: then validations, checkpoints, the real cost of
    a later stage and what else the machine has to do have been measured. A resumed run
    keeps its number of epochs and the time it has spent; the time between is not
    counted.

    Our runners register this hook without ``hours``, if the config does not name it.

    Args:
        hours: Time of the run, with reading the images. Defaults to None: the number
            of epochs stays, and the estimate is printed.

    Raises:
        UserError: if ``hours`` is not positive, the run does not count epochs, or,
            after the first steps, if the time is too short for one epoch a stage.
    """

    priority = 'NORMAL'  # before BootstrapHook, which plans the stages

    def __init__(self, hours: float | None = None) -> None:
        check(
            hours is None or (isinstance(hours, (int, float)) and hours > 0),
            f'hours={hours!r} must be a positive number',
        )
        self.hours = hours
        self.started = clock()
        self.spent_before = 0.0  # by the processes that this one continues
        self.corrected = 0  # the tenth of the run after which it was the last time
        self.epochs: int | None = None  # that were found to fit
        self._steps = 0
        self._marks: list[tuple[int, float]] = []  # (stage, time) of each epoch's start

    @property
    def spent(self) -> float:
        """Seconds of the run, in this and in earlier processes."""
        return self.spent_before + clock() - self.started

    # --- Resuming

    def before_run(self, runner) -> None:
        check(
            self.hours is None or isinstance(runner.train_loop, ExactEpochLoop),
            'a run with hours must count epochs: set train_cfg.max_epochs',
        )
        runner.message_hub.runtime_info.pop(BUDGET, None)  # see BootstrapHook

    def before_train(self, runner) -> None:
        saved = runner.message_hub.runtime_info.get(BUDGET) or {}
        if runner.iter == 0 or self.hours is None or not saved:
            return
        self.spent_before = saved['spent']
        if saved['hours'] == self.hours and saved['epochs'] is not None:
            self.epochs, self.corrected = saved['epochs'], saved['corrected']
            runner.train_loop.set_length(self.epochs)

    def before_save(self, runner) -> None:
        """Note for the checkpoint what a resumed run continues with."""
        state = dict(hours=self.hours, epochs=self.epochs, corrected=self.corrected)
        runner.message_hub.update_info(BUDGET, dict(state, spent=self.spent))

    # --- The estimate, from the first steps

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if self._steps == SKIPPED:
            wait_for_device()
            self._measured_from = clock()
        elif self._steps == SKIPPED + MEASURED and self.epochs is None:
            wait_for_device()
            self._estimate(runner, (clock() - self._measured_from) / MEASURED)
        self._steps += 1

    def _estimate(self, runner, seconds_per_step: float) -> None:
        """Say how long the run takes; with ``hours``, set its number of epochs."""
        if not isinstance(runner.train_loop, ExactEpochLoop):
            left = (runner.max_iters - runner.iter) * seconds_per_step
            tell(f'estimate: about {duration(self.spent + left)} in all', left)
            return
        hook, stage = bootstrap_hook(runner), current_stage(runner)
        costs = relative_costs(runner, hook, stage)
        per_epoch = len(runner.train_dataloader) * seconds_per_step
        done = runner.iter / len(runner.train_dataloader)

        def left(epochs: int) -> float:
            starts = hook.starts_of(runner, epochs) if hook else [0]
            ends = [*starts[1:], epochs]
            return per_epoch * sum(
                cost * max(end - max(start, done), 0)
                for start, end, cost in zip(starts, ends, costs, strict=True)
            )

        if self.hours is not None:
            budget = 3600 * self.hours
            epochs = agree(lambda: self._fit(runner, budget, left, per_epoch, costs))
            self._set_epochs(runner, epochs)
        rest = left(runner.max_epochs)
        times = [duration(per_epoch * cost) for cost in costs]
        parts = f'{times[0]} an epoch'
        if times[0] != times[-1]:
            parts += f' in stage 1, {times[-1]} later'
        asked = f' for {self.hours:g} h' if self.hours is not None else ''
        tell(
            f'estimate{asked}: {runner.max_epochs} epochs, about '
            f'{duration(self.spent + rest)} in all ({parts})',
            math.inf if self.hours is not None else rest,
        )

    def _fit(
        self,
        runner,
        budget: float,
        left: Callable[[int], float],
        per_epoch: float,
        costs: list[float],
    ) -> int:
        """Return the largest number of epochs that ends within the budget."""

        def seconds(epochs: int) -> float:
            try:
                return self.spent + left(epochs)
            except UserError:  # too few epochs for the stages
                return 0.0

        low = runner.epoch + 1
        high = low + len(costs) + math.ceil(budget / (per_epoch * min(costs)))
        while low < high:
            middle = (low + high + 1) // 2
            fits = seconds(middle) <= budget
            low, high = (middle, high) if fits else (low, middle - 1)
        if seconds(low) == 0.0 or seconds(low) > budget:
            least = next(n for n in range(low, high + 10**6) if seconds(n) > 0)
            raise UserError(
                f'{self.hours:g} hours are too short: {least} epochs, the fewest with '
                f'{len(costs)} stages, take about {duration(seconds(least))}; give '
                'more hours, fewer photos or a smaller size'
            )
        return low

    # --- The correction, from whole epochs

    def before_train_epoch(self, runner) -> None:
        self._marks.append((current_stage(runner, runner.epoch), clock()))
        done = runner.epoch
        if self.epochs is None or self.hours is None or len(self._marks) < 3:
            return
        part = PARTS * done // self.epochs
        hook = bootstrap_hook(runner)
        staged = hook is not None and len(hook.starts_of(runner)) > 1
        if part <= self.corrected or (staged and self._marks[-2][0] == 1):
            return
        self.corrected = part
        before = self.epochs
        epochs = agree(lambda: self._correct(runner, hook))
        self._marks = self._marks[-2:]  # the next one measures the epochs from here on
        if epochs != before:
            self._set_epochs(runner, epochs)
            tell(
                f'corrected for {self.hours:g} h: {epochs} epochs instead of {before}; '
                f'{duration(self.spent)} have passed after {done}'
            )

    def _correct(self, runner, hook: BootstrapHook | None) -> int:
        """Return the number of epochs that fits, by the last ones of one stage."""
        stage = self._marks[-2][0]
        times = [
            after[1] - mark[1]
            for mark, after in pairwise(self._marks[1:])
            if mark[0] == stage
        ]
        per_epoch, budget = sum(times) / len(times), 3600 * self.hours
        end = self.spent + per_epoch * (self.epochs - runner.epoch)
        if abs(end - budget) < TOLERANCE * budget:
            return self.epochs
        rest = max(int((budget - self.spent) / per_epoch), 1)
        epochs = runner.epoch + rest
        while True:
            try:
                if hook:
                    hook.starts_of(runner, epochs)
                return epochs
            except UserError:  # too few epochs for the stages that are left
                epochs += 1

    def _set_epochs(self, runner, epochs: int) -> None:
        """Give the run another number of epochs: loop, stages and schedule."""
        self.epochs = epochs
        hook = bootstrap_hook(runner)
        starts = hook.starts_of(runner, epochs) if hook else None
        runner.train_loop.set_length(epochs)
        if hook:
            hook.change_starts(runner, starts)
        replay_schedule(runner, base_rates(runner))


def bootstrap_hook(runner) -> BootstrapHook | None:
    """Return the hook that starts the stages, if the run has one."""
    found = [hook for hook in runner.hooks if isinstance(hook, BootstrapHook)]
    return found[0] if found else None


def current_stage(runner, epoch: int | None = None) -> int:
    """Return the stage of an epoch, from 1; of the running one by default."""
    hook = bootstrap_hook(runner)
    if hook is None:
        return 1
    epoch = runner.epoch if epoch is None else epoch
    return sum(start <= epoch for start in hook.starts_of(runner))


def relative_costs(runner, hook: BootstrapHook | None, stage: int) -> list[float]:
    """Return the FLOPs of every stage over those of the current one."""
    number = len(hook.starts_of(runner)) if hook else 1
    if number == 1:
        return [1.0]
    costs = agree(lambda: count_or_assume(runner.cfg.model, number))
    return [cost / costs[stage - 1] for cost in costs]


def count_or_assume(model: dict, num_stages: int) -> list[float]:
    """Return the costs of the stages; equal ones if a model cannot be counted."""
    try:
        return stage_costs(model, num_stages)
    except Exception as error:  # of a user's class: an estimate may not stop a run
        print_log(f'the FLOPs of the stages are not known: {error}', 'current')
        return [1.0] * num_stages


def wait_for_device() -> None:
    """Wait until a GPU has done what it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def tell(text: str, seconds: float = math.inf) -> None:
    """Print and log an estimate, on the first process; of long runs only."""
    if seconds > TOLD and dist.is_main_process():
        print(text, flush=True)
        print_log(text, 'current', logging.INFO)


def duration(seconds: float) -> str:
    """Return seconds as '45 s', '12 min' or '3.4 h'."""
    if seconds < 120:
        return f'{seconds:.2g} s' if seconds < 10 else f'{seconds:.0f} s'
    return f'{seconds / 60:.0f} min' if seconds < 7200 else f'{seconds / 3600:.1f} h'
