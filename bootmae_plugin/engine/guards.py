"""What our runners share: a guarded work dir, whole checkpoints, exact resume."""

from pathlib import Path

from mmengine import dist
from mmengine.config import Config

from ..errors import check
from ..models.pretrained import read_checkpoint
from .checkpoints import newest_checkpoint, write_whole
from .memory import keep_freed_memory
from .progress import ProgressHook
from .random_state import RandomStateHook


class GuardedRunner:
    """In front of mmengine's Runner or FlexibleRunner.

    * a work dir that holds another experiment, or this one unfinished, is refused
      before anything is written;
    * config and checkpoints are written whole, or not at all;
    * a run resumes from its newest whole checkpoint, with its random state.
    """

    def __init__(self, model, work_dir, **kwargs) -> None:
        guard_work_dir(kwargs.get('cfg'), Path(work_dir))
        keep_freed_memory()
        super().__init__(model, work_dir=work_dir, **kwargs)
        self.register_hook(ProgressHook())
        self._random_states = RandomStateHook()
        self.register_hook(self._random_states)

    def dump_config(self) -> None:
        """As in mmengine; a resumed run is compared with it."""
        if dist.is_main_process():
            name = Path(self.cfg.filename or f'{self.timestamp}.py').name
            text = self.cfg.dump()
            write_whole(Path(self.work_dir) / name, lambda path: path.write_text(text))

    def save_checkpoint(self, out_dir, filename, *args, **kwargs) -> None:
        """As in mmengine, with every process' random state."""
        self._random_states.gather()
        path, save = Path(out_dir) / filename, super().save_checkpoint

        def write(path: Path) -> None:
            save(str(path.parent), path.name, *args, **kwargs)

        if dist.is_main_process():
            write_whole(path, write)
        else:  # where weights are sharded it takes part in gathering them
            write(path)

    def load_or_resume(self) -> None:
        """As in mmengine, from the newest checkpoint that can be read."""
        if self._load_from is not None:
            read_checkpoint(self._load_from)  # one clear line where it is damaged
            super().load_or_resume()
        elif self._resume and not self._has_loaded:
            newest = newest_checkpoint(self.work_dir)
            if newest is not None:
                self.logger.info(f'resumed from {newest}')
                self.resume(str(newest))
                self._has_loaded = True


def guard_work_dir(cfg: Config | None, work_dir: Path) -> None:
    """Refuse to train into a work dir that holds another experiment.

    Raises:
        UserError: if ``work_dir`` holds checkpoints, unless the config asks to resume
            and is the one that made them.
    """
    if cfg is None or cfg.get('train_dataloader') is None or not dist.is_main_process():
        return
    if not any(work_dir.glob('*.pth')):
        return
    check(
        bool(cfg.get('resume')),
        f'work dir {work_dir} holds a run already: --resume goes on with it, another '
        '--work-dir keeps both; nothing was changed',
    )
    # mmengine keeps the config of a run under its own name; other files are not read.
    path = work_dir / Path(cfg.filename or '').name
    check(
        path.is_file(),
        f'work dir {work_dir} holds another experiment: it has no config '
        f'{path.name!r}; choose another --work-dir (nothing was changed)',
    )
    kept = Config.fromfile(path)
    # A longer schedule, other workers, ... may differ; another model may not.
    ours, theirs = (
        # FlexibleRunner moves the preprocessing, which may differ, into it.
        {k: v for k, v in (c.get('model') or {}).items() if k != 'data_preprocessor'}
        for c in (cfg, kept)
    )
    check(
        ours == theirs,
        f'work dir {work_dir} holds another experiment: its config {path.name} has '
        'another model; choose another --work-dir (nothing was changed)',
    )
