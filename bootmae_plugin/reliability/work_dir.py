"""The work dir of a run: its owner, its lock, its newest checkpoint."""

import contextlib
import os
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout
from mmengine import dist
from mmengine.config import Config
from mmengine.logging import print_log

from ..checkpoints.read import read_checkpoint
from ..checkpoints.run_config import read_config
from ..checkpoints.strip import is_stripped
from ..checkpoints.write import write_whole
from ..errors import UserError, check

LAST = 'last_checkpoint'
COMPLETE = '_complete'  # ends the name of a config that is saved beside the user's own
INTERRUPTED = 'interrupted.pth'  # saved after a signal
RESUMABLE = re.compile(rf'(epoch|iter|stage)_\d+\.pth|{INTERRUPTED}')
UNCHANGED = 'choose another --work-dir (nothing was changed)'


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
        f'work dir {work_dir} holds a run already: continue it with --resume, or '
        f'{UNCHANGED}',
    )
    # mmengine saves a run's config under the name of its file.
    path = work_dir / Path(cfg.filename or '').name
    check(
        path.is_file(),
        f'work dir {work_dir} holds another experiment: it has no config '
        f'{path.name!r}; {UNCHANGED}',
    )
    if is_own(path, cfg):
        return
    saved = read_config(path)
    check(saved is not None, f'{path} is not a config of a run: {UNCHANGED}')
    # The schedule, the workers, ... may differ; the model may not.
    ours, theirs = (
        # FlexibleRunner moves the data preprocessor, which may differ, into the model.
        {k: v for k, v in (c.get('model') or {}).items() if k != 'data_preprocessor'}
        for c in (cfg, saved)
    )
    check(
        ours == theirs,
        f'work dir {work_dir} holds another experiment: its config {path.name} has '
        f'another model; {UNCHANGED}',
    )


@contextlib.contextmanager
def lock_work_dir(work_dir: Path) -> Iterator[None]:
    """Keep other runs out of a work dir, and remove the partial files of a killed one.

    A scheduler may start a job again while old processes of it are still alive. Both
    would write the same checkpoints. The lock ends with its process; workers of a data
    loader do not inherit it, because filelock closes it in forked processes.

    Raises:
        UserError: if another run has the lock.
    """
    if not dist.is_main_process():
        yield
        return
    path = work_dir / '.lock'
    lock = FileLock(path, fallback_to_soft=False)  # a soft lock survives a kill
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        raise UserError(
            f'another run uses {work_dir} ({path.read_text()}): wait for its end, or '
            'choose another --work-dir'
        ) from error
    except OSError:  # some network file systems have no locks
        lock = None
    try:
        with contextlib.suppress(OSError):  # Windows locks the content, too
            path.write_text(f'process {os.getpid()} on {socket.gethostname()}')
        for partial in work_dir.glob('.*.partial'):
            partial.unlink()  # of a checkpoint that was not finished
        yield
    finally:
        if lock is not None:
            lock.release()


def is_own(path: Path, cfg: Config) -> bool:
    """Return whether this is the file that the config was read from."""
    return bool(cfg.filename) and path.exists() and path.samefile(cfg.filename)


def run_on_all_ranks(work: Callable[[], object]) -> object:
    """Call ``work`` on every process; if one of them raises a UserError, all do.

    Raises:
        UserError: on every process, of the type of the first one.
    """
    result = failed = None
    try:
        result = work()
    except UserError as error:
        failed = error
    for error in dist.all_gather_object(failed):
        if error is not None:
            raise error
    return result


def agree(calculate: Callable[[], object]) -> object:
    """Return what the first process calculates, on every process.

    Raises:
        UserError: on every process, if the first one raises it.
    """
    result = run_on_all_ranks(lambda: calculate() if dist.is_main_process() else None)
    shared = [result]
    dist.broadcast_object_list(shared)
    return shared[0]


def name_newest(runner, path: Path) -> None:
    """Write the name of the newest checkpoint into ``last_checkpoint``."""
    # Without the folder, so that a work dir can be moved. mmengine's own runner, which
    # some use with our hook, needs the whole path.
    inside = path.parent == Path(runner.work_dir)
    text = path.name if inside and hasattr(runner, 'resumes_by_name') else str(path)

    def write() -> None:
        if dist.is_main_process():
            last = Path(runner.work_dir) / LAST
            write_whole(last, lambda file: file.write_text(text))

    run_on_all_ranks(write)


def newest_checkpoint(work_dir: Path) -> Path | None:
    """Find the newest checkpoint of a run by its name; none is read.

    It is the one that ``last_checkpoint`` names, or else that of the highest number: of
    epochs, of iterations, of stages. None if there is none.
    """
    last = work_dir / LAST
    if last.is_file():
        path = work_dir / Path(last.read_text().strip()).name
        if path.is_file():
            return path
    for kind in ('epoch', 'iter', 'stage'):
        found = {
            int(match[1]): path
            for path in work_dir.glob(f'{kind}_*.pth')
            if (match := re.fullmatch(r'.*_(\d+)\.pth', path.name))
        }
        if found:
            return found[max(found)]
    return None


def read_newest_checkpoint(work_dir: str | Path) -> tuple[Path, dict] | None:
    """Read the newest intact checkpoint; log the broken ones and leave them.

    Args:
        work_dir: The work dir of a run. ``last_checkpoint`` names the newest one; the
            others follow by their iteration, including the ends of stages.

    Returns:
        Its path and its content; None if there is no checkpoint.

    Raises:
        UserError: if there are checkpoints, but all of them are broken.
    """
    broken = []
    for path in _candidates(Path(work_dir)):
        try:
            return path, read_checkpoint(path)
        except UserError as error:
            print_log(f'not resumed from: {error}', 'current', level=30)
            broken.append(path)
    check(
        not broken,
        f'none of the {len(broken)} checkpoints in {work_dir} can be read: start again '
        'with another --work-dir',
    )
    return None


def _candidates(work_dir: Path) -> Iterator[Path]:
    """Yield the checkpoints that a run can be resumed from, the newest first."""
    last, named, folders = work_dir / LAST, None, {work_dir}
    if last.is_file():
        path = Path(last.read_text().strip())
        named = work_dir / path.name  # the work dir may have been moved
        if len(path.parts) > 1 and path.is_file() and not named.is_file():
            named = path  # in the hook's out_dir
            folders.add(path.parent)
        yield named
    # Sorting opens all files, so it comes after the one that is named.
    progress = {
        path: _progress(path)
        for folder in folders
        for path in folder.glob('*.pth')
        if RESUMABLE.fullmatch(path.name) and path != named
    }
    resumable = [path for path, done in progress.items() if done is not None]
    yield from sorted(resumable, key=progress.get, reverse=True)


def _progress(path: Path) -> tuple[float, bool] | None:
    """Return how far a checkpoint is; None if it was reduced to its weights.

    Broken ones are the furthest, so that they are read, and logged, before others.
    """
    try:
        content = read_checkpoint(path, whole=False)
        if is_stripped(content):
            return None
        iteration = content['meta']['iter']
    except (UserError, KeyError, TypeError):
        iteration = float('inf')
    # An epoch's own checkpoint is written after that of a stage.
    return iteration, not path.name.startswith('stage')


def agree_on_newest_checkpoint(work_dir: str) -> tuple[str, dict] | None:
    """Read the newest intact checkpoint, the same one on all processes.

    The first process looks for it: others may see another state of the folder.

    Raises:
        UserError: on every process, if all checkpoints are broken.
    """
    content = None

    def find() -> str | None:
        nonlocal content
        if (found := read_newest_checkpoint(work_dir)) is None:
            return None
        content = found[1]  # too large to be sent
        return str(found[0])

    if (name := agree(find)) is None:
        return None
    return name, read_checkpoint(name) if content is None else content
