"""A work dir belongs to one experiment."""

import ast
import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from mmengine import dist
from mmengine.config import Config

from ..errors import check
from .locks import locked


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
    if is_own(path, cfg):
        return
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


@contextlib.contextmanager
def held(work_dir: Path) -> Iterator[None]:
    """Keep other runs out of a work dir, and clear away what a killed one left.

    Two runs in one, as where a job was started again while its old processes live on,
    would write the same checkpoints.

    Raises:
        UserError: if another run is at work in it.
    """
    if not dist.is_main_process():
        yield
        return
    lock = work_dir / '.lock'
    by = lock.read_text() if lock.is_file() else ''
    busy = (
        f'another run is at work in {work_dir} ({by}): wait until it has ended, or '
        'choose another --work-dir'
    )
    with locked(lock, busy) as handle:
        if handle is not None:
            os.truncate(handle, 0)
            who = f'process {os.getpid()} on {socket.gethostname()}'
            os.write(handle, who.encode())
        for partial in work_dir.glob('.*.partial'):
            partial.unlink()  # a checkpoint that was not finished
        yield


def is_own(path: Path, cfg: Config) -> bool:
    """Whether this is the file that the config was read from."""
    return bool(cfg.filename) and path.exists() and path.samefile(cfg.filename)


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
            case ast.Name(id='nan' | 'inf'):
                return float(node.id)
        return ast.literal_eval(node)

    try:
        body = ast.parse(path.read_text(encoding='utf-8')).body
        return {line.targets[0].id: value(line.value) for line in body}
    except (SyntaxError, ValueError, AttributeError, TypeError, RecursionError):
        return None
