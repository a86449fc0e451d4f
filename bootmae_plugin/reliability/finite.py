"""Numbers that go bad are caught before the optimiser takes them."""

import functools
import json
import math
from collections.abc import Iterator
from pathlib import Path

import torch
from mmengine import dist
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.optim import OptimWrapper
from mmpretrain.registry import HOOKS
from torch import Tensor, nn

from ..engine.unwrap import unwrap_model
from ..errors import UserError, check
from .rescale import optim_wrappers

SHOWN = 20  # names of parameters in a report


@HOOKS.register_module()
class FiniteHook(Hook):
    """Checks losses and gradients before every step of the optimiser, on all ranks.

    Where one is not finite, each process writes ``non_finite/iter_N_rank_R.json`` into
    the work dir: the ``sample_idx`` of its images, losses, the parameters concerned and
    the last values that were finite. Then the run stops, or leaves the step out. This
    is one number that the host reads in a step. Gradients of a wrapper that scales its
    losses (float16) are left to its own check.

    Args:
        action: 'stop', or 'skip', which counts the steps left out ('skipped_steps' in
            the log). Defaults to 'stop'.
        max_skips: In a row; then the run stops, too. Defaults to 10.

    Raises:
        UserError: on every process, when the run stops.
    """

    def __init__(self, action: str = 'stop', max_skips: int = 10) -> None:
        check(
            action in ('stop', 'skip'),
            f"unknown action={action!r} of FiniteHook: choose 'stop' or 'skip'",
        )
        self.action, self.max_skips = action, max_skips
        self.batches: list = []  # since the last step: gradients may be accumulated
        self.losses: list[Tensor] = []
        self.last_finite: dict | None = None

    def before_train(self, runner) -> None:
        for wrapper in optim_wrappers(runner.optim_wrapper):
            self._watch(runner, wrapper)

    def _watch(self, runner, wrapper: OptimWrapper) -> None:
        """Whatever class of mmengine's it is, it calls these two of its methods."""
        backward, step = wrapper.backward, wrapper.step

        def watched_backward(loss: Tensor, **kwargs) -> None:
            self.losses.append(loss.detach())
            backward(loss, **kwargs)

        @functools.wraps(step)  # the schedulers look for their own mark on it
        def watched_step(**kwargs) -> None:
            if self._all_finite(runner, wrapper):
                step(**kwargs)

        wrapper.backward, wrapper.step = watched_backward, watched_step

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        self.batches.append(data_batch)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if skipped := runner.message_hub.runtime_info.get('skipped_steps'):
            runner.message_hub.update_scalar('train/skipped_steps', skipped)

    def _all_finite(self, runner, wrapper: OptimWrapper) -> bool:
        batches, losses = self.batches, self.losses
        self.batches, self.losses = [], []
        gradients = [p.grad for p in parameters(wrapper) if p.grad is not None]
        if hasattr(wrapper, 'loss_scaler'):
            gradients = []
        norm = total_norm(gradients, next(parameters(wrapper)).new_zeros(()))
        values = torch.stack([*(loss.to(norm).reshape(()) for loss in losses), norm])
        here = values.isfinite().all()
        everywhere = here.float()
        dist.all_reduce(everywhere, 'min')  # gradients may be accumulated on each
        values = values.tolist()
        if everywhere:
            runner.message_hub.update_info('skipped_in_a_row', 0)
            self.last_finite = dict(
                iteration=runner.iter + 1,
                losses=values[:-1],
                gradient_norm=values[-1],
                learning_rate=wrapper.get_lr()['lr'][0],
            )
            return True
        self._report(runner, batches, values, bool(here))
        return False

    def _report(self, runner, batches: list, values: list, here: bool) -> None:
        named = unwrap_model(runner.model).named_parameters()
        concerned = [
            name
            for name, p in named
            if p.grad is not None and not p.grad.isfinite().all()
        ]
        report = dict(
            iteration=runner.iter + 1,
            epoch=runner.epoch + 1,
            rank=dist.get_rank(),
            finite_on_this_rank=here,
            sample_idx=[sample_indices(batch) for batch in batches],
            losses=[str(value) for value in values[:-1]],
            gradient_norm=str(values[-1]),
            gradients_not_finite=concerned[:SHOWN],
            number_of_gradients_not_finite=len(concerned),
            last_finite=self.last_finite,
        )
        folder = Path(runner.work_dir) / 'non_finite'
        folder.mkdir(exist_ok=True)
        name = f'iter_{runner.iter + 1}_rank_{dist.get_rank()}.json'
        (folder / name).write_text(json.dumps(report, indent=2) + '\n')
        bad_loss = not all(map(math.isfinite, values[:-1]))
        what = 'the loss' if bad_loss else 'a gradient'
        text = (
            f'{what if not here else "a number of another process"} is not finite in '
            f'iteration {runner.iter + 1}, see {folder / name}'
        )
        # In the hub they are in the checkpoint.
        info = runner.message_hub.runtime_info
        in_a_row = info.get('skipped_in_a_row', 0) + 1
        if self.action == 'skip' and in_a_row <= self.max_skips:
            count = info.get('skipped_steps', 0) + 1
            runner.message_hub.update_info('skipped_steps', count)
            runner.message_hub.update_info('skipped_in_a_row', in_a_row)
            print_log(f'step left out, {count} so far: {text}', 'current', level=30)
            return
        advice = (
            'go on from the last checkpoint with a lower learning rate, or leave such '
            'steps out with default_hooks.finite.action=skip'
        )
        if self.action == 'skip':
            advice = f'{self.max_skips} in a row: lower the learning rate'
        raise UserError(f'{text}; the optimiser has not taken it: {advice}')


def parameters(wrapper: OptimWrapper) -> Iterator[nn.Parameter]:
    """All that the optimiser steps."""
    for group in wrapper.optimizer.param_groups:
        yield from group['params']


def total_norm(tensors: list[Tensor], like: Tensor) -> Tensor:
    """L2 norm over all of them, of shape () on the device of ``like``; none: 0."""
    if not tensors:
        return torch.zeros_like(like)
    return nn.utils.get_total_norm(tensors).to(like)


def sample_indices(batch) -> list | None:
    """``sample_idx`` of the images of a batch, where its data set gives them."""
    if not isinstance(batch, dict):
        return None
    found = batch.get('sample_idx')
    if found is None and batch.get('data_samples'):
        found = [sample.get('sample_idx') for sample in batch['data_samples']]
    return found.tolist() if isinstance(found, Tensor) else found


def check_finite(model: nn.Module, wrapper) -> None:
    """Stop what would be saved with weights or an optimiser's state not finite.

    Raises:
        UserError: on every process, naming the first ones.
    """
    named = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    for one in optim_wrappers(wrapper):
        for number, state in enumerate(one.optimizer.state.values()):
            for key, value in state.items():
                named[f"the optimiser's {key} of parameter {number}"] = value
    named = {
        name: value.detach()
        for name, value in named.items()
        if isinstance(value, Tensor) and value.is_floating_point() and value.numel()
    }
    bad = []
    # One pass; the norm of numbers that are finite may still be too large for one.
    if not total_norm(list(named.values()), torch.zeros(())).isfinite():
        bad = [name for name, value in named.items() if not value.isfinite().all()]
    fine = torch.tensor(float(not bad), device=next(model.parameters()).device)
    dist.all_reduce(fine, 'min')
    check(
        bool(fine),
        f'{len(bad)} tensors are not finite (first: {", ".join(bad[:3]) or "none here"}'
        '), so nothing was saved; the checkpoints before are intact: go on from the '
        'last one with a lower learning rate',
    )
