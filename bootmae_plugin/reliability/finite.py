"""Detect non-finite losses and gradients before the optimizer step."""

import functools
import json
import math
from pathlib import Path
from typing import NamedTuple

import torch
from mmengine import dist
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.optim import OptimWrapper
from mmpretrain.registry import HOOKS
from torch import Tensor, nn

from ..engine.unwrap import unwrap_model
from ..errors import UserError, check
from ..host import copy_to_host
from .rescale import optim_wrappers

SHOWN = 20  # parameters named in a report
# Their fused kernels leave the step out where the attribute ``found_inf`` is 1.
FUSED = (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD)


class Step(NamedTuple):
    """An optimizer step whose numbers may still be on their way from the device."""

    facts: dict  # what is known without its numbers
    images: list  # of each batch whose gradients were accumulated
    found_inf: Tensor  # (), 1 if a number of any process is not finite
    numbers: Tensor  # (L + 2,) on the host: found_inf, L losses, norm of the gradients
    copied: torch.cuda.Event | None  # None: ``numbers`` is complete


@HOOKS.register_module()
class FiniteHook(Hook):
    """Check losses and gradients in every optimizer step, on all processes.

    If one is not finite, the step is left out, and each process writes
    ``non_finite/iter_N_rank_R.json`` into the work dir: the ``sample_idx`` of its
    images, its losses, the parameters concerned and the last finite values. Then the
    run stops, or continues with ``action='skip'``.

    With torch's fused Adam, AdamW and SGD on a GPU no step waits for the device: the
    optimizer leaves the step out on the device, and the host reads the result one step
    later. The gradients are gone by then, so the report names no parameters. With any
    other optimizer the host reads the numbers before each step. The gradients of a
    float16 wrapper are left to its loss scaler; only its losses are checked.

    Args:
        action: 'stop', or 'skip', which logs the number of steps left out as
            'skipped_steps'. Defaults to 'stop'.
        max_skips: Number of steps in a row that may be left out before the run stops.
            Defaults to 10.

    Raises:
        UserError: on every process, when the run stops.
    """

    def __init__(self, action: str = 'stop', max_skips: int = 10) -> None:
        check(
            action in ('stop', 'skip'),
            f"unknown action={action!r} of FiniteHook: choose 'stop' or 'skip'",
        )
        self.action, self.max_skips = action, max_skips
        self.images: list = []  # of the batches since the last step
        self.losses: list[Tensor] = []
        self.unread: list[Step] = []  # the last one of each optimizer
        self.last_finite: dict | None = None

    def before_train(self, runner) -> None:
        for wrapper in optim_wrappers(runner.optim_wrapper):
            self._watch(runner, wrapper)

    def _watch(self, runner, wrapper: OptimWrapper) -> None:
        """Replace the two methods that every optimizer wrapper has."""
        backward, step = wrapper.backward, wrapper.step

        def watched_backward(loss: Tensor, **kwargs) -> None:
            self.losses.append(loss.detach())
            backward(loss, **kwargs)

        @functools.wraps(step)  # mmengine's schedulers look for their mark on it
        def watched_step(**kwargs) -> None:
            measured = self._measure(runner, wrapper)
            if skips_on_device(wrapper):
                self.read_last_step(runner)  # by now the device has finished it
                self.unread.append(measured)
                wrapper.optimizer.found_inf = measured.found_inf
                step(**kwargs)
                del wrapper.optimizer.found_inf
            elif self._accept(runner, measured, unwrap_model(runner.model)):
                step(**kwargs)

        wrapper.backward, wrapper.step = watched_backward, watched_step

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        batch = data_batch if isinstance(data_batch, dict) else {}
        self.images.append(batch.get('sample_idx', batch.get('data_samples')))

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if skipped := runner.message_hub.runtime_info.get('skipped_steps'):
            runner.message_hub.update_scalar('train/skipped_steps', skipped)

    def read_last_step(self, runner) -> None:
        """Read the step that the host does not know yet, if there is one."""
        while self.unread:
            self._accept(runner, self.unread.pop(0))

    after_train_epoch = before_save = read_last_step  # before a checkpoint is saved

    def _measure(self, runner, wrapper: OptimWrapper) -> Step:
        facts = dict(
            iteration=runner.iter + 1,
            epoch=runner.epoch + 1,
            rank=dist.get_rank(),
            learning_rate=wrapper.get_lr()['lr'][0],
        )
        parameters = [p for group in wrapper.param_groups for p in group['params']]
        gradients = [p.grad for p in parameters if p.grad is not None]
        if hasattr(wrapper, 'loss_scaler'):
            gradients = []
        norm = total_norm(gradients, parameters[0].new_zeros(()))
        losses = [loss.to(norm).reshape(()) for loss in self.losses]
        images, self.images, self.losses = self.images, [], []
        values = torch.stack([*losses, norm])
        found_inf = 1 - values.isfinite().all().float()
        dist.all_reduce(found_inf, 'max')
        numbers = torch.cat([found_inf.reshape(1), values])
        return Step(facts, images, found_inf, *copy_to_host(numbers))

    def _accept(self, runner, step: Step, model: nn.Module | None = None) -> bool:
        """Return whether all numbers are finite; report, and count or stop, if not.

        ``model`` still has the gradients of the step. Defaults to None: they are gone.
        """
        if step.copied is not None:
            step.copied.synchronize()
        bad, *losses, norm = step.numbers.tolist()
        report = dict(step.facts, losses=losses, gradient_norm=norm)
        if not bad:
            runner.message_hub.update_info('skipped_in_a_row', 0)
            self.last_finite = report
            return True
        what = 'a number of another process'
        if not all(map(math.isfinite, losses)):
            what = 'the loss'
        elif not math.isfinite(norm):
            what = 'a gradient'
        report.update(
            sample_idx=[sample_indices(some) for some in step.images],
            finite_on_this_rank=all(map(math.isfinite, [*losses, norm])),
            losses=[str(loss) for loss in losses],  # JSON has no inf
            gradient_norm=str(norm),
            last_finite=self.last_finite,
            **({} if model is None else gradients_not_finite(model)),
        )
        name = f'iter_{report["iteration"]}_rank_{report["rank"]}.json'
        path = Path(runner.work_dir) / 'non_finite' / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(report, indent=2) + '\n')
        where = f'{what} is not finite in iteration {report["iteration"]}, see {path}'
        self._skip_or_stop(runner, where)
        return False

    def _skip_or_stop(self, runner, where: str) -> None:
        info = runner.message_hub.runtime_info  # is part of every checkpoint
        in_a_row = info.get('skipped_in_a_row', 0) + 1
        if self.action == 'skip' and in_a_row <= self.max_skips:
            count = info.get('skipped_steps', 0) + 1
            runner.message_hub.update_info('skipped_steps', count)
            runner.message_hub.update_info('skipped_in_a_row', in_a_row)
            print_log(f'step left out, {count} so far: {where}', 'current', level=30)
            return
        advice = (
            'resume with a lower learning rate, or leave such steps out with '
            'default_hooks.finite.action=skip'
        )
        if self.action == 'skip':
            advice = f'{self.max_skips} in a row: lower the learning rate'
        raise UserError(f'{where}; the weights are unchanged: {advice}')


def skips_on_device(wrapper: OptimWrapper) -> bool:
    """Return whether the optimizer can leave out a step without asking the host."""
    return (
        isinstance(wrapper.optimizer, FUSED)
        and all(group.get('fused') for group in wrapper.param_groups)
        and wrapper.param_groups[0]['params'][0].device.type == 'cuda'
        and not hasattr(wrapper, 'loss_scaler')
    )


def total_norm(tensors: list[Tensor], like: Tensor) -> Tensor:
    """Return the L2 norm over all tensors as a scalar like ``like``; 0 for none."""
    if not tensors:
        return torch.zeros_like(like)
    return nn.utils.get_total_norm(tensors).to(like)


def gradients_not_finite(model: nn.Module) -> dict:
    """Return the first names of the parameters concerned, and their number."""
    names = [
        name
        for name, p in model.named_parameters()
        if p.grad is not None and not p.grad.isfinite().all()
    ]
    return dict(
        gradients_not_finite=names[:SHOWN], number_of_gradients_not_finite=len(names)
    )


def sample_indices(images: Tensor | list | None) -> list | None:
    """Return the ``sample_idx`` of images, given as such or as mmpretrain's samples."""
    if isinstance(images, Tensor):
        return images.tolist()
    return images and [
        one.get('sample_idx') if hasattr(one, 'get') else one for one in images
    ]


def check_finite(model: nn.Module, wrapper) -> None:
    """Refuse to save weights or optimizer states that are not finite.

    Raises:
        UserError: on every process, with the names of the first ones.
    """
    named = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    for one in optim_wrappers(wrapper):
        for number, state in enumerate(one.optimizer.state.values()):
            for key, value in state.items():
                named[f"the optimizer's {key} of parameter {number}"] = value
    named = {
        name: value.detach()
        for name, value in named.items()
        if isinstance(value, Tensor) and value.is_floating_point() and value.numel()
    }
    bad = []
    # The norm takes one pass. It may overflow for finite numbers: then look at each.
    if not total_norm(list(named.values()), torch.zeros(())).isfinite():
        bad = [name for name, value in named.items() if not value.isfinite().all()]
    fine = torch.tensor(float(not bad), device=next(model.parameters()).device)
    dist.all_reduce(fine, 'min')
    check(
        bool(fine),
        f'{len(bad)} tensors are not finite (first: {", ".join(bad[:3]) or "none here"}'
        '), so nothing was saved: resume from the last checkpoint with a lower '
        'learning rate',
    )
