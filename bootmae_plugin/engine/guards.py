"""What our runners share: a guarded work dir, whole checkpoints, exact resume."""

import ast
import contextlib
import errno
import functools
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from mmengine import dist
from mmengine.config import Config
from mmengine.logging import print_log

from ..errors import UserError, check
from ..models.pretrained import read_checkpoint, refuse_pickles
from .checkpoints import newest_checkpoint, together, write_whole
from .exact_resume import ExactResumeHook
from .finite import check_finite
from .interruption import InterruptHook
from .loops import exact
from .memory import keep_freed_memory
from .progress import ProgressHook

FULL = (errno.ENOSPC, errno.EDQUOT)  # a full disk, or a full quota


class GuardedRunner:
    """In front of mmengine's Runner or FlexibleRunner.

    * a work dir that holds another experiment, or this one unfinished, is refused
      before anything is written;
    * nothing is unpickled in this process, also not by what mmengine loads;
    * config and checkpoints are written whole, or not at all;
    * a run resumes from its newest whole checkpoint, exactly, also within an epoch;
    * a signal ends it with a checkpoint.
    """

    resumes_by_name = True  # so last_checkpoint needs no path, see name_newest

    def __init__(self, model, work_dir, **kwargs) -> None:
        guard_work_dir(kwargs.get('cfg'), Path(work_dir))
        refuse_pickles()
        keep_freed_memory()
        super().__init__(model, work_dir=work_dir, **kwargs)
        self._exact, self._interruption = ExactResumeHook(), InterruptHook()
        for hook in (ProgressHook(), self._exact, self._interruption):
            self.register_hook(hook)

    def train(self):
        """As in mmengine; a signal ends it with a checkpoint.

        Raises:
            Interrupted: a ``SystemExit``, once that is saved.
            UserError: also where another process of the run has died.
        """
        with self._interruption.listening(), dead_peers_named():
            return super().train()

    @property
    def began(self) -> bool:
        """Whether an iteration is done."""
        return getattr(self._train_loop, 'iter', 0) > 0

    def build_train_loop(self, loop):
        """As in mmengine, with loops that resume exactly."""
        return super().build_train_loop(exact(loop) if isinstance(loop, dict) else loop)

    def build_visualizer(self, *args, **kwargs):
        """As in mmengine; what a full disk does not take of the log is left out."""
        visualizer = super().build_visualizer(*args, **kwargs)
        visualizer.add_scalars = unless_full(visualizer.add_scalars)
        return visualizer

    def dump_config(self) -> None:
        """As in mmengine; a resumed run is compared with it."""
        if dist.is_main_process():
            name = Path(self.cfg.filename or f'{self.timestamp}.py').name
            text = self.cfg.dump()
            write_whole(Path(self.work_dir) / name, lambda path: path.write_text(text))

    def save_checkpoint(self, out_dir, filename, *args, **kwargs) -> None:
        """As in mmengine, whole or not at all, with what makes resuming exact.

        Raises:
            UserError: on every process, if it cannot be written or a weight is not
                finite.
        """
        check_finite(self.model, self.optim_wrapper)
        self._exact.gather(self)
        path, save = Path(out_dir) / filename, super().save_checkpoint

        def write(path: Path) -> None:
            save(str(path.parent), path.name, *args, **kwargs)

        def write_here() -> None:
            if dist.is_main_process():
                write_whole(path, write)
            else:  # where weights are sharded it takes part in gathering them
                write(path)

        together(write_here)

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
    kept = read_dump(path)
    check(
        kept is not None,
        f'{path} is not a config as a run writes it: choose another --work-dir '
        '(nothing was changed)',
    )
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


def read_dump(path: Path) -> dict | None:
    """A config as :meth:`GuardedRunner.dump_config` wrote it, without running it.

    A work dir may come from somebody else, and a config is code: this takes literals
    and ``dict(...)`` alone, which is all that a dump has.
    """

    def value(node: ast.expr):
        match node:
            case ast.Call(func=ast.Name(id='dict'), args=[]):
                return {k.arg: value(k.value) for k in node.keywords}
            case ast.Dict():
                return dict(
                    zip(map(value, node.keys), map(value, node.values), strict=True)
                )
            case ast.List():
                return [value(item) for item in node.elts]
            case ast.Tuple():
                return tuple(value(item) for item in node.elts)
        return ast.literal_eval(node)

    try:
        body = ast.parse(path.read_text(encoding='utf-8')).body
        return {line.targets[0].id: value(line.value) for line in body}
    except (SyntaxError, ValueError, AttributeError, TypeError, RecursionError):
        return None


def unless_full(write: Callable) -> Callable:
    """``write``, which warns once where the disk is full, instead of raising."""
    said = False

    @functools.wraps(write)
    def tried(*args, **kwargs) -> None:
        nonlocal said
        try:
            write(*args, **kwargs)
        except OSError as error:
            if error.errno not in FULL:
                raise
            if not said:
                print_log(f'losses are not logged: {error}', 'current', level=30)
            said = True

    return tried


# What torch says where the other end of a connection is gone.
GONE = re.compile(
    'closed by peer|reset by peer|Broken pipe|remote process exited|Connection refused'
)


@contextlib.contextmanager
def dead_peers_named() -> Iterator[None]:
    """Turn what torch raises when another process is gone into one line."""
    try:
        yield
    except RuntimeError as error:
        if dist.get_world_size() == 1 or not GONE.search(str(error)):
            raise
        raise UserError(
            'another process of this run has ended, so this one stops, too: see what '
            'that one says; --resume goes on from the last checkpoint'
        ) from error
