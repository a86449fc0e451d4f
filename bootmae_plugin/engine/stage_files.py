"""The files ``stage_k.pth``: fewer of them, and smaller ones, as a run goes on."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from mmengine import dist
from mmengine.logging import print_log

from ..checkpoints.strip import strip_checkpoint
from ..errors import UserError


def stage_file(stage: int) -> str:
    """Return the name of the checkpoint that is saved at the end of a stage."""
    return f'stage_{stage}.pth'


def reduce_stage_files(
    work_dir: str | Path, stages: Sequence[int], parts: Mapping[int, str]
) -> list[int]:
    """Reduce or remove checkpoints of stages; only the first process does it.

    A file that is gone or reduced already is skipped, so this can be repeated.

    Args:
        work_dir: The folder of the files.
        stages: The stages whose files are reduced.
        parts: The weights that stay of some stages: those whose keys begin with this
            prefix. The files of the other stages are removed.

    Returns:
        The stages whose files could not be reduced, as on a full disk.
    """
    failed = []
    for stage in stages if dist.is_main_process() else ():
        path = Path(work_dir) / stage_file(stage)
        try:
            if stage not in parts:
                path.unlink(missing_ok=True)
            elif path.is_file():
                strip_checkpoint(path, parts[stage])
        except (UserError, OSError) as error:
            print_log(f'{path} stays as it is: {error}', 'current', level=30)
            failed.append(stage)
    return failed
