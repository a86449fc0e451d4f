"""Train and evaluate the runs of a ladder, and write their figures into CSV files."""

import csv
import os
import subprocess
import sys
from pathlib import Path

from mmengine.utils import get_git_hash
from rich.console import Console

from bootmae_plugin.errors import check
from bootmae_plugin.visualization import RunFiles

from .ladder import Ladder, Run

TOOLS = Path(__file__).resolve().parents[2]
RUNS = Path('results/runs.csv')
COLUMNS = [
    *('ladder', 'run', 'seed', 'epochs', 'core_hours', 'precision', 'date', 'commit'),
    *('config', 'options'),
]


def start(words: list[str], log: Path, threads: int) -> None:
    """Run a tool of this folder at low priority and wait for it.

    Args:
        words: Its file name and arguments.
        log: Gets its output.
        threads: Threads of the process.

    Raises:
        UserError: if it fails; the line names the log.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open('a') as file:
        status = subprocess.run(
            [sys.executable, str(TOOLS / words[0]), *words[1:]],
            stdout=file,
            stderr=subprocess.STDOUT,
            env=dict(os.environ, OMP_NUM_THREADS=str(threads)),
        ).returncode
    check(status == 0, f'{words[0]} ended with status {status}: see {log}')


def core_hours(run: RunFiles, threads: int) -> float:
    """Estimate the core-hours of a run from its log.

    Steps that were repeated after an interruption count once, and time between two
    trainings does not count.

    Args:
        run: The run.
        threads: Threads that it trained with.
    """
    check(bool(run.training), f'{run.folder} has no log of a training')
    # mmengine logs the mean time of the last 10 steps; it stands for all steps since
    # the row before.
    steps = [0, *(row['step'] for row in run.training)]
    total = sum(
        (row['step'] - before) * row['time']
        for before, row in zip(steps, run.training, strict=False)
    )
    return total * threads / 3600


def train(run: Run, threads: int) -> Path:
    """Train a run, or resume it; return its last checkpoint."""
    folder = run.work_dir
    words = ['train.py', run.config, '--work-dir', str(folder), '--resume']
    start([*words, '--cfg-options', *run.words], folder / 'train.out', threads)
    checkpoint = RunFiles(folder).checkpoint
    check(checkpoint is not None, f'{folder} has no checkpoint: train it again')
    return checkpoint


def rows(path: Path) -> list[dict]:
    """Return the rows of a CSV file; none if it is missing."""
    if not path.is_file():
        return []
    with path.open(newline='') as file:
        return list(csv.DictReader(file))


def note(run: Run, threads: int) -> None:
    """Write a finished training into ``results/runs.csv``."""
    trained = RunFiles(run.work_dir)
    log = max(run.work_dir.glob('*/*.log'))
    row = dict(
        ladder=run.ladder,
        run=run.name,
        seed=run.seed,
        epochs=trained.training[-1]['epoch'],
        core_hours=f'{core_hours(trained, threads):.2f}',
        precision='fp32' if 'training in float32' in log.read_text() else 'bf16',
        date=log.parent.name[:8],
        commit=get_git_hash(fallback='', digits=10),
        config=run.config,
        options=' '.join(run.words),
    )
    key = ('ladder', 'run', 'seed')
    kept = [r for r in rows(RUNS) if any(r[k] != str(row[k]) for k in key)]
    RUNS.parent.mkdir(exist_ok=True)
    with RUNS.open('w', newline='') as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator='\n')
        writer.writeheader()
        writer.writerows([*kept, row])


def evaluate(ladder: Ladder, run: Run, checkpoint: Path, threads: int) -> None:
    """Evaluate a run on images held out from the training images."""
    figures = Path('results') / f'{ladder.name}.csv'
    for tool in ('linear_probe.py', 'knn.py'):
        words = [tool, ladder.benchmark, str(checkpoint), '--pool', *ladder.pools]
        if tool == 'linear_probe.py':
            words += ['--epochs', '20', '--seeds', '1']
        words += ['--split', 'val', '--csv', str(figures)]
        start(words, run.work_dir / 'evaluate.out', threads)


def climb(ladder: Ladder, threads: int) -> None:
    """Train and evaluate every run of a ladder, those that are done excepted."""
    console = Console()
    done = {(r['ladder'], r['run'], int(r['seed'])) for r in rows(RUNS)}
    for number, run in enumerate(ladder.runs, 1):
        title = f'{number}/{len(ladder.runs)} {run.name}, seed {run.seed}'
        if (run.ladder, run.name, run.seed) in done:
            console.print(f'{title}: done before')
            continue
        with console.status(f'{title}: training, log in {run.work_dir}'):
            checkpoint = train(run, threads)
        with console.status(f'{title}: evaluating'):
            evaluate(ladder, run, checkpoint, threads)
        note(run, threads)
        console.print(f'{title}: done')
