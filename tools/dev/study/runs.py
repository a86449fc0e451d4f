"""Train and evaluate the runs of a ladder, and write their figures into CSV files."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import torch
from rich.console import Console

from bootmae_plugin.errors import check

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


def core_hours(work_dir: Path, threads: int) -> tuple[float, int]:
    """Return the core-hours and the epochs that a run's log adds up to.

    Steps that were repeated after an interruption count once, and time between two
    trainings does not count.

    Args:
        work_dir: Its work dir.
        threads: Threads that it trained with.
    """
    seconds, epoch = {}, 0
    for path in sorted(work_dir.glob('*/vis_data/scalars.json')):
        for line in path.read_text().splitlines():
            row = json.loads(line)
            if 'iter' in row and 'time' in row and 'loss' in row:
                seconds[row['step']] = row['time']
                epoch = max(epoch, row['epoch'])
    check(bool(seconds), f'{work_dir} has no log of a training')
    steps = sorted(seconds)
    # A row's time is the mean over the steps since the row before.
    total = sum(
        (step - before) * seconds[step]
        for before, step in zip([0, *steps], steps, strict=False)
    )
    return total * threads / 3600, epoch


def train(run: Run, threads: int) -> Path:
    """Train a run, or resume it; return its last checkpoint."""
    folder = run.work_dir
    words = ['train.py', run.config, '--work-dir', str(folder), '--resume']
    start([*words, '--cfg-options', *run.words], folder / 'train.out', threads)
    newest = (folder / 'last_checkpoint').read_text().strip()
    return folder / Path(newest).name


def rows(path: Path) -> list[dict]:
    """Return the rows of a CSV file; none if it is missing."""
    if not path.is_file():
        return []
    with path.open(newline='') as file:
        return list(csv.DictReader(file))


def note(run: Run, threads: int) -> None:
    """Write a finished training into ``results/runs.csv``."""
    hours, epochs = core_hours(run.work_dir, threads)
    describe = ['git', 'describe', '--always', '--dirty']
    commit = subprocess.run(describe, capture_output=True, text=True).stdout.strip()
    log = max(run.work_dir.glob('*/*.log'))
    row = dict(
        ladder=run.ladder,
        run=run.name,
        seed=run.seed,
        epochs=epochs,
        core_hours=f'{hours:.2f}',
        precision='fp32' if 'training in float32' in log.read_text() else 'bf16',
        date=log.parent.name[:8],
        commit=commit,
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
    torch.set_num_threads(threads)
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
