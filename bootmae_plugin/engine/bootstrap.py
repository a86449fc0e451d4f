"""The hook that starts the stages and saves a checkpoint at the end of each."""

import copy
import logging
from collections.abc import Sequence

from mmengine import dist
from mmengine.hooks import Hook
from mmengine.logging import MessageHub, print_log
from mmengine.runner import EpochBasedTrainLoop
from mmpretrain.registry import HOOKS
from torch import nn
from torch.optim import Optimizer

from ..errors import check
from .stages import (
    keep_started_stages,
    plan_stages,
    reduce_stage_files,
    shown_epochs,
    stage_file,
)
from .unwrap import gather_parameters, unwrap_model

PLAN = 'stage_plan'  # in the message hub, and so in every checkpoint
WHOLE = 'whole_stages'  # there, too: the stages whose stage_k.pth is not reduced yet


@HOOKS.register_module()
class BootstrapHook(Hook):
    """Start the stages: at each boundary the teacher takes the student's weights.

    Give the number of stages, which divide the epochs evenly, or the boundaries, or
    both: the stages without a boundary divide the rest. The stage is part of the
    model's state_dict and the boundaries are part of every checkpoint, so a resumed run
    continues in its stage. If the number of epochs or stages was changed before
    resuming, the stages that have started keep their boundaries, the others divide the
    remaining epochs, and a warning names both.

    Each stage ends with a checkpoint ``stage_k.pth``. Older ones are reduced:

    ============================================  ====================================
    the last ``keep_stages`` stages               whole: a run can be resumed from them
    a stage after which a branch ends (such as    all weights: no later checkpoint has
    the pixels after stage 1)                     the trained decoder of that branch
    every ``keep_every``-th stage                 the encoder, for an evaluation
    any other stage                               removed
    ============================================  ====================================

    Args:
        num_stages: K, from 1 (a plain masked autoencoder) to the number of epochs.
            Defaults to None: one more than boundaries.
        boundaries: First epochs of stages 2, 3, ..., counted from 0; numbers below 1
            are shares of the run. ``num_stages=4, boundaries=[0.1]`` is a short first
            stage and three stages of equal length. Defaults to None.
        student: 'continue' keeps the student's weights at a boundary; 'reset' starts
            each stage with new weights and a new optimizer state. Defaults to
            'continue'.
        restart_schedule: Run the whole schedule in each stage, shortened to its length,
            with a new optimizer state. Defaults to False: one schedule for the run.
        keep_stages: Number of stages, the last ones, whose ``stage_k.pth`` stays whole;
            None keeps all. Defaults to 2.
        keep_every: Keep the encoder of every ``keep_every``-th stage. Defaults to 10.

    Raises:
        UserError: before training, if the stages do not fit the number of epochs.
    """

    # stage_k.pth is saved after the schedulers have stepped (priority LOW) and before
    # the checkpoint of the epoch (VERY_LOW), which is the one to continue from.
    priority = 80

    def __init__(
        self,
        num_stages: int | None = None,
        boundaries: Sequence[float] | None = None,
        student: str = 'continue',
        restart_schedule: bool = False,
        keep_stages: int | None = 2,
        keep_every: int = 10,
    ) -> None:
        check(
            (num_stages, boundaries) != (None, None),
            'BootstrapHook needs num_stages=K, or boundaries=[first epochs of stages '
            '2, 3, ...]',
        )
        check(
            student in ('continue', 'reset'),
            f"unknown student={student!r}: choose 'continue' or 'reset'",
        )
        check(
            keep_stages is None or isinstance(keep_stages, int) and keep_stages >= 1,
            f'keep_stages={keep_stages!r} must be a whole number from 1, or None to '
            'keep the checkpoints of all stages whole',
        )
        check(
            isinstance(keep_every, int) and keep_every >= 1,
            f'keep_every={keep_every!r} must be a whole number from 1',
        )
        self.num_stages, self.student = num_stages, student
        self.boundaries = list(boundaries) if boundaries is not None else None
        self.restart_schedule = restart_schedule
        self.keep_stages, self.keep_every = keep_stages, keep_every
        self._images = 0  # of this process, since the last optimizer step

    def starts(self, max_epochs: int) -> list[int]:
        """Return the first epoch of every stage for a run of ``max_epochs``."""
        return plan_stages(self.num_stages, self.boundaries, max_epochs)

    def before_run(self, runner) -> None:
        check(
            isinstance(runner.train_loop, EpochBasedTrainLoop),
            'BootstrapHook counts epochs: use '
            "train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=...)",
        )
        model = unwrap_model(runner.model)
        check(
            hasattr(model, 'start_stage'),
            f'BootstrapHook needs the algorithm BootMAE, got {type(model).__name__}: '
            'remove the hook or change the model',
        )
        self._starts = self.starts(runner.max_epochs)
        if self.restart_schedule:
            self._restart_schedule(runner, 0)  # resuming replaces its state

    def before_train(self, runner) -> None:
        self._adapt_stages(runner)
        self._reduce_stage_files(runner)

    def before_train_epoch(self, runner) -> None:
        model = unwrap_model(runner.model)
        stage = self._stage_at(runner.epoch)
        if stage > model.stage:
            self._switch(runner, stage)
        model.start_epoch(runner.epoch, runner.max_epochs)
        if runner.epoch in self._starts:
            branches = ', '.join(name for name, _ in model.active_branches())
            runner.logger.info(
                f'Stage {stage} of {len(self._starts)} starts at epoch '
                f'{runner.epoch + 1}: branch {branches}'
            )

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        stage = unwrap_model(runner.model).stage
        runner.message_hub.update_scalar('train/stage', stage)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self._images += len(data_batch['inputs'])
        if runner.optim_wrapper.should_update():  # not while gradients accumulate
            batch_size, self._images = self._images * runner.world_size, 0
            with gather_parameters(runner.model, blocks=False):
                model = unwrap_model(runner.model)
                model.after_step(runner.epoch, runner.max_epochs, batch_size)

    def after_train_epoch(self, runner) -> None:
        if runner.epoch + 1 in [*self._starts[1:], runner.max_epochs]:
            self._save_stage(runner)
            self._reduce_stage_files(runner)

    # --- The switch to the next stage

    def _stage_at(self, epoch: int) -> int:
        """Return the stage, counted from 1, that the epoch belongs to."""
        return sum(start <= epoch for start in self._starts)

    def _switch(self, runner, stage: int) -> None:
        """Start a stage: swap the teacher, then renew optimizer, log and schedule."""
        model, optimizer = unwrap_model(runner.model), runner.optim_wrapper.optimizer
        idle_before = model.idle_parameters()
        with gather_parameters(runner.model):
            model.start_stage(stage, self.student)
            broadcast_weights(model)
        clear_state(optimizer, idle_before - model.idle_parameters())
        forget_losses(runner.message_hub)
        if self.student == 'reset' or self.restart_schedule:
            optimizer.state.clear()
        if self.restart_schedule:
            self._restart_schedule(runner, stage - 1)

    def rebuild_schedule(self, runner) -> int:
        """Build the schedule of the current stage; return the stage's first epoch."""
        index = self._stage_at(runner.epoch) - 1
        self._restart_schedule(runner, index)
        return self._starts[index]

    def _restart_schedule(self, runner, index: int) -> None:
        """Build the schedulers of ``runner.cfg`` anew for stage ``index + 1``."""
        ends = [*self._starts[1:], runner.max_epochs]
        share = (ends[index] - self._starts[index]) / runner.max_epochs
        configs = copy.deepcopy(runner.cfg.get('param_scheduler') or [])
        configs = [configs] if isinstance(configs, dict) else configs
        for cfg in configs:
            whole = runner.max_epochs if cfg.get('by_epoch', True) else runner.max_iters
            cfg.setdefault('end', whole)
            for key in ('begin', 'end', 'T_max'):
                if key in cfg:
                    cfg[key] = round(cfg[key] * share)
            # A short stage may round the warm-up to 0 steps; a scheduler needs one.
            cfg['end'] = max(cfg['end'], cfg.get('begin', 0) + 1)
        for group in runner.optim_wrapper.param_groups:
            if 'initial_lr' in group:
                group['lr'] = group['initial_lr']
        runner.param_schedulers = runner.build_param_scheduler(configs)

    # --- The checkpoints of the stages

    def _save_stage(self, runner) -> None:
        stage = unwrap_model(runner.model).stage
        whole = {*runner.message_hub.runtime_info.get(WHOLE, []), stage}
        runner.message_hub.update_info(WHOLE, sorted(whole))
        name = stage_file(stage)
        runner.save_checkpoint(runner.work_dir, name, by_epoch=True)
        runner.logger.info(f'Stage {stage} ends, saved as {name}')

    def _reduce_stage_files(self, runner) -> None:
        """Reduce or remove ``stage_k.pth`` of all but the last stages."""
        whole = runner.message_hub.runtime_info.get(WHOLE, [])
        if self.keep_stages is None or not whole:
            return
        older = whole[: -self.keep_stages]
        heads = unwrap_model(runner.model).head.values()
        parts = {}
        for stage in older:
            if any(head.active(stage) and not head.active(stage + 1) for head in heads):
                parts[stage] = ''  # all weights
            elif stage % self.keep_every == 0:
                parts[stage] = 'backbone.'
        left = reduce_stage_files(runner.work_dir, older, parts)
        runner.message_hub.update_info(WHOLE, [*left, *whole[len(older) :]])

    # --- The stages of a run whose length changes

    def starts_of(self, runner, max_epochs: int | None = None) -> list[int]:
        """Return the first epoch of every stage, if the run had another length.

        Until stage 2 all boundaries move; later those of the stages that have not
        started.

        Args:
            runner: A runner that trains.
            max_epochs: The length. Defaults to None: the present one.

        Raises:
            UserError: if the epochs are too few for the stages.
        """
        if max_epochs is None:
            return list(self._starts)
        started = sum(start <= runner.epoch for start in self._starts)
        starts = self.starts(max_epochs) if started == 1 else [0]
        if started == 1 and all(start > runner.epoch for start in starts[1:]):
            return starts
        return keep_started_stages(
            len(self._starts),
            self._starts,
            runner.max_epochs,
            runner.epoch,
            max_epochs,
        )

    def change_starts(self, runner, starts: list[int]) -> None:
        """Continue with other stages, once the length of the run has changed."""
        self._starts = starts
        self._note_stages(runner)
        model = unwrap_model(runner.model)
        model.start_epoch(runner.epoch, runner.max_epochs)

    def _adapt_stages(self, runner) -> None:
        """Adapt the stages to the checkpoint, if one was resumed."""
        if runner.iter > 0:
            self._starts = self._resumed_starts(runner)
        self._note_stages(runner)

    def _note_stages(self, runner) -> None:
        """Note the stages in the message hub, and so in every checkpoint."""
        end = runner.max_epochs
        plan = dict(starts=self._starts, end=end, config=[*self.starts(end), end])
        runner.message_hub.update_info(PLAN, plan)
        runner.message_hub.update_info('num_stages', len(self._starts))

    def _resumed_starts(self, runner) -> list[int]:
        """Return the first epoch of every stage, once a checkpoint has been loaded."""
        epoch, end = runner.epoch, runner.max_epochs
        config = self.starts(end)
        stage = unwrap_model(runner.model).stage
        plan = runner.message_hub.runtime_info.get(PLAN)
        if plan is None:  # version 0.1.0 did not save it
            if stage in (self._stage_at(epoch - 1), self._stage_at(epoch)):
                return config
            plan = dict(starts=[0] * stage, end=end, config=None)
        if plan['config'] == [*config, end]:
            return plan['starts']
        started = [start for start in plan['starts'] if start <= epoch]
        if self.num_stages is None and not any(b < 1 for b in self.boundaries):
            starts = [*started, *(start for start in config if start > epoch)]
        else:
            starts = keep_started_stages(
                len(config), plan['starts'], plan['end'], epoch, end
            )
        if not starts == config == plan['starts']:
            following = [
                shown_epochs(some[len(started) :])
                for some in (starts, plan['starts'], config)
            ]
            print_log(
                'epochs or stages have changed since the checkpoint: stage '
                f'{len(started)} of {len(starts)} continues, the next stages start at '
                'epoch {}; in the checkpoint {}, in a new run {}'.format(*following),
                'current',
                logging.WARNING,
            )
        return starts


def broadcast_weights(model: nn.Module) -> None:
    """Give every process the weights of the first one: each has drawn its own."""
    for tensor in (*model.parameters(), *model.buffers()):
        dist.broadcast(tensor.data)


def clear_state(optimizer: Optimizer, parameters: set[nn.Parameter]) -> None:
    """Set the optimizer's state of parameters that were not trained so far to zero."""
    for parameter in parameters:
        for value in optimizer.state.get(parameter, {}).values():
            value.zero_()


def forget_losses(message_hub: MessageHub) -> None:
    """Delete logged losses: the last ones of a branch that has ended would stay."""
    for key in [*message_hub.log_scalars]:
        if key.startswith(('train/loss', 'train/explained')):
            del message_hub.log_scalars[key]
