"""mmengine's training loops, which can go on within an epoch and after a validation."""

from collections.abc import Iterator
from itertools import islice

from mmengine.dataset import InfiniteSampler
from mmengine.logging import print_log
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop
from mmpretrain.registry import LOOPS
from torch.utils.data import DataLoader

from .batches import SeededBatches, seeded
from .rescale import refit_counts


class _ExactLoop:
    """In front of one of mmengine's training loops.

    * the batches are :class:`SeededBatches`;
    * :meth:`position` and :meth:`go_on` save and restore where it is;
    * a run that is resumed where a validation was due begins with it: its checkpoint
      was written before, so nobody knows whether it was done.
    """

    batch = 0  # of this epoch, how many are done
    resumed = validating = False

    def __init__(self, runner, dataloader: DataLoader | dict, *args, **kwargs) -> None:
        if isinstance(dataloader, dict):
            dataloader = seeded(dataloader)
        super().__init__(runner, dataloader, *args, **kwargs)

    def position(self) -> dict[str, int]:
        """For a checkpoint, beside mmengine's ``epoch`` and ``iter``."""
        batches = self.dataloader.batch_sampler
        seed = batches.seed if isinstance(batches, SeededBatches) else 0
        return dict(
            batch=self.batch,
            batches=len(self.dataloader),
            seed=seed,
            length=self.length,
        )

    def go_on(self, position: dict[str, int]) -> None:
        """Start where a checkpoint was written, also with other batches."""
        self.resumed = True
        if isinstance(self.dataloader.batch_sampler, SeededBatches):
            self.dataloader.batch_sampler.seed = position['seed']
        old, new = position['batches'], len(self.dataloader)
        self.batch = position['batch'] * new // old
        if old != new:
            self._count_anew(old, new)
            self._warn(
                f'an epoch has {new} batches now and had {old}: the run goes on at the '
                'same place, but not exactly as it would have'
            )
        if self.length != position.get('length', self.length):
            self._warn(
                f'the run has {self.length} {self.unit} now and had '
                f'{position["length"]}: its learning rate ends where it would have'
            )

    def _count_anew(self, old: int, new: int) -> None:
        """Express in batches of now what was counted in batches of then."""

    def _warn(self, text: str) -> None:
        print_log(text, 'current', level=30)

    def _batches(self, epoch: int) -> Iterator:
        """The batches of an epoch that are not done yet."""
        if isinstance(self.dataloader.batch_sampler, SeededBatches):
            self.dataloader.batch_sampler.start_at(epoch, self.batch)
            return iter(self.dataloader)
        return islice(self.dataloader, self.batch, None)

    def _validate(self, done: int, end: int) -> None:
        """Where it is due, after this many epochs or iterations."""
        due = done % self.val_interval == 0 or done == end
        if self.runner.val_loop is not None and done >= self.val_begin and due:
            self.validating = True
            self.runner.val_loop.run()
            self.validating = False


@LOOPS.register_module()
class ExactEpochLoop(_ExactLoop, EpochBasedTrainLoop):
    """mmengine's EpochBasedTrainLoop, resumed exactly; our runners take it by itself.

    Args:
        **kwargs: See mmengine's ``EpochBasedTrainLoop``.
    """

    unit = 'epochs'

    @property
    def length(self) -> int:
        return self._max_epochs

    def _count_anew(self, old: int, new: int) -> None:
        self._iter = self._epoch * new + self.batch
        refit_counts(self.runner, old, new)

    def run(self):
        """All epochs that are left, each with its validation."""
        self.runner.call_hook('before_train')
        if self.resumed and self.batch == 0 < self._epoch:
            self._decide_current_val_interval()
            self._validate(self._epoch, self._max_epochs)
        while self._epoch < self._max_epochs and not self.stop_training:
            self.run_epoch()
            self._decide_current_val_interval()
            self._validate(self._epoch, self._max_epochs)
        self.runner.call_hook('after_train')
        return self.runner.model

    def run_epoch(self) -> None:
        """One epoch, or what is left of it."""
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        for idx, data_batch in enumerate(self._batches(self._epoch), self.batch):
            self.batch = idx + 1  # once the hooks after this iteration are called
            self.run_iter(idx, data_batch)
        self.batch = 0
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1


@LOOPS.register_module()
class ExactIterLoop(_ExactLoop, IterBasedTrainLoop):
    """mmengine's IterBasedTrainLoop, resumed exactly; our runners take it by itself.

    Args:
        **kwargs: See mmengine's ``IterBasedTrainLoop``.
    """

    unit = 'iterations'

    @property
    def length(self) -> int:
        return self._max_iters

    def run(self):
        """All iterations that are left; for hooks they are one epoch."""
        self.runner.call_hook('before_train')
        self.runner.call_hook('before_train_epoch')
        if self.resumed and self._iter:
            self._decide_current_val_interval()
            self._validate(self._iter, self._max_iters)
        batches = self._all_batches()
        while self._iter < self._max_iters and not self.stop_training:
            self.runner.model.train()
            self.run_iter(next(batches))
            self._decide_current_val_interval()
            self._validate(self._iter, self._max_iters)
        self.runner.call_hook('after_train_epoch')
        self.runner.call_hook('after_train')
        return self.runner.model

    def _all_batches(self) -> Iterator:
        """Without end; where the sampler has one, its next epoch follows."""
        sampler = getattr(self.dataloader.batch_sampler, 'sampler', None)
        epoch, self.batch = 0, self._iter
        if not isinstance(sampler, InfiniteSampler):
            epoch, self.batch = divmod(self._iter, len(self.dataloader))
        while True:
            if hasattr(sampler, 'set_epoch'):
                sampler.set_epoch(epoch)
            for data_batch in self._batches(epoch):
                self.batch += 1
                yield data_batch
            epoch, self.batch = epoch + 1, 0


EXACT = {
    'EpochBasedTrainLoop': ExactEpochLoop,
    'IterBasedTrainLoop': ExactIterLoop,
}


def exact(loop: dict) -> dict:
    """Config of a training loop -> with ours in place of mmengine's own."""
    cfg = dict(loop)
    name = cfg.pop('type', None)
    if name is None:
        name = EpochBasedTrainLoop if cfg.pop('by_epoch', True) else IterBasedTrainLoop
    name = name if isinstance(name, str) else name.__name__
    name = name.removeprefix('mmengine.')
    return dict(cfg, type=EXACT[name]) if name in EXACT else loop
