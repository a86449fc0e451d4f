"""Train and evaluate the runs of a ladder, and write their figures into CSV files."""

import csv
import os
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from threading import Lock

from mmengine.utils import get_git_hash
from rich.console import Console

from bootmae_plugin.errors import check
from bootmae_plugin.evaluation.results import append_results
from bootmae_plugin.visualization import RunFiles

from .ladder import TEST, Ladder, Run

TOOLS = Path(__file__).resolve().parents[2]
RUNS = Path('results/runs.csv')
COLUMNS = [
    *('ladder', 'run', 'seed', 'epochs', 'core_hours', 'gpu_hours', 'step_seconds'),
    *('device', 'precision', 'date', 'commit', 'config', 'options'),
]
GPU = re.compile(r'^ *GPU [\d,]+: (.+)$', re.MULTILINE)  # of mmengine's log
NOTES = Lock()  # only one thread at a time writes RUNS


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


def steps_of(run: RunFiles) -> dict[int, tuple[int, float]]:
    """Return the number of steps of each stage, and the median seconds of one.

    Each step counts once: neither the time between two trainings counts, nor a pause
    of the process, nor repeated steps. A training without stages has stage 1.
    """
    check(bool(run.training), f'{run.folder} has no log of a training')
    steps, times = defaultdict(int), defaultdict(list)
    before = 0
    for row in run.training:
        stage = row.get('stage', 1)
        steps[stage] += row['step'] - before
        times[stage].append(row['time'])
        before = row['step']
    return {stage: (steps[stage], median(times[stage])) for stage in sorted(steps)}


def last_log(run: RunFiles) -> Path:
    """Return the log of the last start that trained: a finished run may start again."""
    files = run.folder.glob('*/vis_data/scalars.json')
    folders = sorted(path.parents[1] for path in files)
    check(bool(folders), f'{run.folder} has no log of a training')
    (log,) = folders[-1].glob('*.log')
    return log


def facts_of(run: RunFiles, threads: int, jobs: int = 1) -> dict[str, float | str]:
    """Return what a training has cost, on which device, how and when.

    Args:
        run: The run.
        threads: Threads that it trained with: a CPU's cost is in core-hours.
        jobs: Trainings that shared a GPU: each costs its part of the time.

    Returns:
        ``core_hours`` (0 on a GPU), ``gpu_hours`` (0 on a CPU), ``step_seconds`` (one
        median for each stage), ``device``, ``precision`` and ``date``.
    """
    log, steps = last_log(run), steps_of(run)
    text = log.read_text()
    spent = sum(number * seconds for number, seconds in steps.values()) / 3600
    gpu = GPU.search(text) if 'CUDA available: True' in text else None
    return dict(
        core_hours=0.0 if gpu else round(spent * threads, 2),
        gpu_hours=round(spent / jobs, 3) if gpu else 0.0,
        step_seconds=' '.join(f'{seconds:.3g}' for _, seconds in steps.values()),
        device=gpu[1] if gpu else 'CPU',
        precision='fp32' if 'training in float32' in text else 'bf16',
        date=log.parent.name[:8],
    )


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


def note(run: Run, commit: str, threads: int, jobs: int = 1) -> None:
    """Write a finished training into ``results/runs.csv``, with :func:`facts_of`."""
    trained = RunFiles(run.work_dir)
    row = dict(
        ladder=run.ladder,
        run=run.name,
        seed=run.seed,
        epochs=trained.training[-1]['epoch'],
        **{k: v or '' for k, v in facts_of(trained, threads, jobs).items()},
        commit=commit,
        config=run.config,
        options=' '.join(run.words),
    )
    key = ('ladder', 'run', 'seed')
    with NOTES:
        kept = [r for r in rows(RUNS) if any(r[k] != str(row[k]) for k in key)]
        RUNS.parent.mkdir(exist_ok=True)
        with RUNS.open('w', newline='') as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator='\n')
            writer.writeheader()
            writer.writerows([*kept, row])


def csv_of(ladder: Ladder) -> Path:
    """Return the file of a ladder's figures."""
    return Path('results') / f'{ladder.name}.csv'


def evaluate(ladder: Ladder, run: Run, checkpoint: Path, threads: int) -> None:
    """Evaluate a run on images held out from the training images."""
    log = run.work_dir / 'evaluate.out'
    if ladder.benchmark == TEST:
        config = run.work_dir / Path(run.config).with_suffix('.py').name
        words = ['test.py', config, checkpoint, '--work-dir', run.work_dir / 'test']
        start([*map(str, words), '--csv', str(csv_of(ladder))], log, threads)
        return
    for tool in ('linear_probe.py', 'knn.py'):
        words = [tool, ladder.benchmark, str(checkpoint), '--pool', *ladder.pools]
        if tool == 'linear_probe.py':
            words += ['--epochs', '20', '--seeds', '1']
        words += ['--split', 'val', '--csv', str(csv_of(ladder))]
        start(words, log, threads)


def climb(ladder: Ladder, threads: int, jobs: int = 1) -> None:
    """Train and evaluate every run of a ladder, those that are done excepted.

    Args:
        ladder: The ladder.
        threads: Threads of a training.
        jobs: Trainings at a time.

    Raises:
        UserError: the first failure, once the other runs have ended.
    """
    console = Console()
    append_results(csv_of(ladder), [])  # the header, before several processes write
    done = {(r['ladder'], r['run'], int(r['seed'])) for r in rows(RUNS)}

    def finish(run: Run, say: Callable) -> None:
        title = f'{run.name}, seed {run.seed}'
        if (run.ladder, run.name, run.seed) in done:
            say(f'{title}: done before')
            return
        say(f'{title}: training, log in {run.work_dir}')
        # Before it: the next commit may come while the training runs.
        commit = get_git_hash(fallback='', digits=10)
        checkpoint = train(run, threads)
        say(f'{title}: evaluating')
        evaluate(ladder, run, checkpoint, threads)
        note(run, commit, threads, jobs)
        say(f'{title}: done')

    with ThreadPoolExecutor(jobs) as pool:
        waiting = [pool.submit(finish, run, console.print) for run in ladder.runs]
    for one in waiting:
        one.result()
