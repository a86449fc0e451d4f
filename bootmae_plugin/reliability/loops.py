"""mmengine's training loops, made resumable within an epoch and after a validation."""

from bisect import bisect
from collections.abc import Iterator
from itertools import islice

from mmengine import dist
from mmengine.dataset import InfiniteSampler
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop
from mmpretrain.registry import LOOPS
from torch.utils.data import DataLoader

from ..datasets.seeded_batches import SeededBatches, with_seeded_batches
from ..errors import check


class _ExactLoop:
    """Mixin that makes mmengine's training loops resumable within an epoch.

    * The batches are :class:`SeededBatches`.
    * :meth:`position` and :meth:`restore` save and restore the place in the data.
    * :meth:`validate_if_due` repeats a validation that may have been interrupted.
    """

    batch = 0  # of the current epoch, the first one that this process trains on

    def __init__(self, runner, dataloader: DataLoader | dict, *args, **kwargs) -> None:
        if isinstance(dataloader, dict):
            dataloader = with_seeded_batches(dataloader)
        super().__init__(runner, dataloader, *args, **kwargs)
        sampler = self.dataloader.batch_sampler
        self.seeded = isinstance(sampler, SeededBatches)
        batch_size = getattr(sampler, 'batch_size', self.dataloader.batch_size)
        check(
            len(self.dataloader) > 0,
            f'{len(self.dataloader.dataset)} training images on '
            f'{dist.get_world_size()} processes do not fill a batch of {batch_size} '
            'each: lower train_dataloader.batch_size, or set '
            'train_dataloader.drop_last=False',
        )

    def position(self) -> dict[str, int]:
        """Return what a checkpoint needs beside mmengine's ``epoch`` and ``iter``."""
        return dict(
            batches=len(self.dataloader),
            seed=self.dataloader.batch_sampler.seed if self.seeded else 0,
            length=self.progress[1],
        )

    def restore(self, position: dict[str, int], meta: dict) -> None:
        """Continue at the place of a checkpoint, also with batches of another size.

        Args:
            position: What :meth:`position` returned for the checkpoint.
            meta: ``epoch`` and ``iter`` of the checkpoint. mmengine reads them after
                this call; they are changed if an epoch has another number of batches.
        """
        if self.seeded:
            self.dataloader.batch_sampler.seed = position['seed']

    def validate_if_due(self) -> None:
        """Validate after resuming: a checkpoint is saved before its validation."""
        done, end = self.progress
        place = bisect(self.dynamic_milestones, done + 1)
        due = done % self.dynamic_intervals[place - 1] == 0 or done == end
        within_epoch = self.batch > 0
        if self.runner.val_loop is None or within_epoch or done < self.val_begin:
            return
        if done > 0 and due:
            self.runner.val_loop.run()


@LOOPS.register_module()
class ExactEpochLoop(_ExactLoop, EpochBasedTrainLoop):
    """mmengine's EpochBasedTrainLoop, resumable within an epoch; our runners use it.

    Args:
        **kwargs: See mmengine's ``EpochBasedTrainLoop``.
    """

    unit = 'epochs'

    @property
    def progress(self) -> tuple[int, int]:
        """Number of epochs that are done, and of the whole run."""
        return self.epoch, self.max_epochs

    def set_length(self, max_epochs: int) -> None:
        """Change the number of epochs of a run that trains or resumes."""
        self._max_epochs = max_epochs
        self._max_iters = max_epochs * len(self.dataloader)
        runner = self.runner
        runner.message_hub.update_info('max_epochs', self.max_epochs)
        runner.message_hub.update_info('max_iters', self.max_iters)
        # How the last gradients are accumulated depends on the length.
        runner.optim_wrapper.initialize_count_status(
            runner.model, self.iter, self.max_iters
        )

    def restore(self, position: dict[str, int], meta: dict) -> None:
        super().restore(position, meta)
        old, new = position['batches'], len(self.dataloader)
        done = meta['iter'] - meta['epoch'] * old
        self.batch = done * new // old
        meta['iter'] = meta['epoch'] * new + self.batch

    def run_epoch(self) -> None:
        """Train one epoch, or the rest of it."""
        if self.seeded:
            self.dataloader.batch_sampler.start_at(self.epoch, self.batch)
        super().run_epoch()
        self.batch = 0

    def run_iter(self, idx: int, data_batch) -> None:
        """Train on one batch; a loader without SeededBatches repeats those before."""
        if self.seeded:
            super().run_iter(idx + self.batch, data_batch)
        elif idx >= self.batch:
            super().run_iter(idx, data_batch)


@LOOPS.register_module()
class ExactIterLoop(_ExactLoop, IterBasedTrainLoop):
    """mmengine's IterBasedTrainLoop, resumable anywhere; our runners use it.

    Args:
        **kwargs: See mmengine's ``IterBasedTrainLoop``.
    """

    unit = 'iterations'

    @property
    def progress(self) -> tuple[int, int]:
        """Number of iterations that are done, and of the whole run."""
        return self.iter, self.max_iters

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.dataloader_iterator = _EndlessBatches(self)


class _EndlessBatches:
    """Batches of one epoch after the other, for mmengine's loop over iterations."""

    def __init__(self, loop: ExactIterLoop) -> None:
        self.loop, self.batches = loop, self._iterate()

    def skip_iter(self, number: int) -> None:
        """Do nothing; mmengine calls this in a resumed run, which starts there."""

    def __next__(self):
        return next(self.batches)

    def _iterate(self) -> Iterator:
        loop, loader = self.loop, self.loop.dataloader
        sampler = getattr(loader.batch_sampler, 'sampler', None)
        epoch, loop.batch = 0, loop.iter
        if not isinstance(sampler, InfiniteSampler):
            epoch, loop.batch = divmod(loop.iter, len(loader))
        while True:
            if hasattr(sampler, 'set_epoch'):
                sampler.set_epoch(epoch)
            if loop.seeded:
                loader.batch_sampler.start_at(epoch, loop.batch)
                yield from loader
            else:
                yield from islice(loader, loop.batch, None)
            epoch, loop.batch = epoch + 1, 0


EXACT = {EpochBasedTrainLoop: ExactEpochLoop, IterBasedTrainLoop: ExactIterLoop}


def with_exact_loop(loop: dict) -> dict:
    """Return the config of a training loop with ours in place of mmengine's."""
    cfg = dict(loop)
    kind = cfg.pop('type', None)
    if kind is None:
        kind = EpochBasedTrainLoop if cfg.pop('by_epoch', True) else IterBasedTrainLoop
    kind = LOOPS.get(kind) if isinstance(kind, str) else kind
    return dict(cfg, type=EXACT[kind]) if kind in EXACT else loop
