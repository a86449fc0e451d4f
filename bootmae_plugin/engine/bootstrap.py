"""When a stage starts: the hook that swaps the target encoder."""

import copy
from collections.abc import Sequence
from itertools import pairwise

import torch
from mmengine import dist
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop
from mmpretrain.registry import HOOKS

from ..errors import check
from .unwrap import gather_parameters, unwrap_model


@HOOKS.register_module()
class BootstrapHook(Hook):
    """Bootstrapped targets: at every stage boundary the teacher becomes the student.

    Give the number of stages, which divides the epochs evenly (one more to the first
    ones where it does not go into them), or the boundaries themselves. The stage is
    part of the model's state_dict, so a resumed run needs nothing else.

    Args:
        num_stages: K. 1 is a plain masked autoencoder, at most one stage per epoch.
        boundaries: Epochs, counted from 0, at which stages 2, 3, ... start.
        student: 'continue' goes on from the weights, 'reset' starts each stage from new
            ones (and forgets the optimiser's state). Defaults to 'continue'.
        restart_schedule: Replay the whole schedule in every stage, shortened to its
            length, with a fresh optimiser state: each stage is a run of its own.
            Defaults to False: one schedule over the whole run.

    Raises:
        UserError: before training, if the stages do not fit the number of epochs.
    """

    # stage_k.pth is written after the schedulers have stepped (LOW), and before the
    # checkpoint of the epoch (VERY_LOW): a run killed between the two writes it again.
    priority = 80

    def __init__(
        self,
        num_stages: int | None = None,
        boundaries: Sequence[int] | None = None,
        student: str = 'continue',
        restart_schedule: bool = False,
    ) -> None:
        check(
            (num_stages is None) != (boundaries is None),
            f'BootstrapHook got num_stages={num_stages} and boundaries={boundaries}: '
            'give exactly one of them (and set the other to None)',
        )
        check(
            student in ('continue', 'reset'),
            f"unknown student={student!r}: choose 'continue' or 'reset'",
        )
        self.num_stages, self.student = num_stages, student
        self.boundaries = list(boundaries) if boundaries is not None else None
        self.restart_schedule = restart_schedule

    def starts(self, max_epochs: int) -> list[int]:
        """First epoch of every stage, for a run of ``max_epochs``."""
        if self.boundaries is not None:
            starts = [0, *self.boundaries]
            check(
                all(a < b for a, b in pairwise([*starts, max_epochs])),
                f'stage boundaries {self.boundaries} must increase and lie between 1 '
                f'and {max_epochs - 1} for a run of {max_epochs} epochs',
            )
            return starts
        stages = self.num_stages
        check(
            isinstance(stages, int) and 1 <= stages <= max_epochs,
            f'num_stages={stages} must be a whole number from 1 to the number of '
            f'epochs ({max_epochs}): each stage needs at least one epoch',
        )
        return [-(-k * max_epochs // stages) for k in range(stages)]

    def before_run(self, runner) -> None:
        check(
            isinstance(runner.train_loop, EpochBasedTrainLoop),
            'BootstrapHook counts epochs: use '
            "train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=...)",
        )
        self._starts = self.starts(runner.max_epochs)
        model = self._model(runner)
        check(
            hasattr(model, 'start_stage'),
            f'BootstrapHook needs the algorithm BootMAE, got {type(model).__name__}: '
            'remove the hook or change the model',
        )
        if self.restart_schedule:
            self._restart_schedule(runner, 0)  # a resumed run overwrites it

    def before_train_epoch(self, runner) -> None:
        stage = sum(start <= runner.epoch for start in self._starts)
        model = self._model(runner)
        if stage > model.stage:
            idle = model.idle_parameters()
            with gather_parameters(runner.model):
                model.start_stage(stage, self.student)
                # New weights are drawn on every rank; rank 0's are everybody's.
                for tensor in (*model.parameters(), *model.buffers()):
                    dist.broadcast(tensor.data)
            # A sharded optimizer has stepped with zeros where there were no gradients.
            for parameter in idle - model.idle_parameters():
                for value in runner.optim_wrapper.optimizer.state[parameter].values():
                    value.zero_()
            # The last values of a branch that has ended would go on being logged.
            for key in [*runner.message_hub.log_scalars]:
                if key.startswith(('train/loss', 'train/explained')):
                    del runner.message_hub.log_scalars[key]
            if self.restart_schedule or self.student == 'reset':
                runner.optim_wrapper.optimizer.state.clear()
            if self.restart_schedule:
                self._restart_schedule(runner, stage - 1)
        model.start_epoch(runner.epoch, runner.max_epochs)
        branches = ', '.join(name for name, _ in model.active_branches())
        if runner.epoch in self._starts:
            runner.logger.info(
                f'Stage {stage} of {len(self._starts)} starts at epoch '
                f'{runner.epoch + 1}: branch {branches}'
            )
        runner.message_hub.update_info('num_stages', len(self._starts))

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        runner.message_hub.update_scalar('train/stage', self._model(runner).stage)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.optim_wrapper.should_update():  # not within an accumulated step
            with gather_parameters(runner.model, blocks=False):
                self._model(runner).after_step(runner.epoch, runner.max_epochs)

    def after_train_epoch(self, runner) -> None:
        if runner.epoch + 1 in [*self._starts[1:], runner.max_epochs]:
            name = f'stage_{self._model(runner).stage}.pth'
            runner.save_checkpoint(runner.work_dir, name, by_epoch=True)
            runner.logger.info(f'Stage {name[6:-4]} is done, kept as {name}')

    def _model(self, runner) -> torch.nn.Module:
        return unwrap_model(runner.model)

    def _restart_schedule(self, runner, index: int) -> None:
        """Build the schedulers of ``runner.cfg`` anew for stage ``index``."""
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
            # A warm-up that vanishes in a short stage still needs one step.
            cfg['end'] = max(cfg['end'], cfg.get('begin', 0) + 1)
        for group in runner.optim_wrapper.param_groups:
            if 'initial_lr' in group:
                group['lr'] = group['initial_lr']
        runner.param_schedulers = runner.build_param_scheduler(configs)
