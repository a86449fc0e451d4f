"""Rebuild the tables of ``docs/results.md`` from the CSV files in ``results/``.

A table stands between ``<!-- table NAME -->`` and ``<!-- end -->``; NAME is a ladder,
or ``few_labels`` for what ``results/few_labels.sh`` measured.
"""

import re
from pathlib import Path
from statistics import mean, stdev

from bootmae_plugin.errors import check

from .ladder import Ladder, Run, read_ladder
from .runs import RUNS, csv_of, rows

DOCUMENT = Path('docs/results.md')
LADDERS = Path('results/ladders')
FEW_LABELS = Path('results/few_labels.csv')
# Column -> whose weights, protocol, pooling.
FEW_COLUMNS = {
    'frozen, linear on all patches': ('encoder', 'linear', 'flatten64'),
    'on their mean': ('encoder', 'linear', 'avg'),
    '20-NN, all patches': ('encoder', '20-NN', 'flatten64'),
    'finetuned': ('pretrained', 'accuracy/top1', 'avg'),
    'trained from random weights': ('random', 'accuracy/top1', 'avg'),
    'untrained, linear on all patches': ('random', 'linear', 'flatten64'),
    'pixels, linear': ('', 'linear', 'pixels'),
}
TABLE = re.compile(r'(<!-- table (?P<name>[\w.-]+) -->\n).*?(<!-- end -->)', re.S)


def spread(values: list[float], digits: int = 1) -> str:
    """Format the mean over seeds, with the standard deviation if there are several."""
    text = f'{mean(values):.{digits}f}'
    return f'{text} ± {stdev(values):.{digits}f}' if len(values) > 1 else text


def figures_of(ladder: Ladder) -> dict[Run, dict[tuple[str, str], float]]:
    """Return the figures of each finished run by (protocol, pooling)."""
    figures = {run: {} for run in ladder.runs}
    folders = {str(run.work_dir): run for run in ladder.runs}
    for row in rows(csv_of(ladder)):
        run = folders.get(str(Path(row['checkpoint']).parent))
        if run is not None:
            figures[run][row['protocol'], row['pool']] = float(row['mean'])
    return {run: found for run, found in figures.items() if found}


def table(ladder: Ladder) -> str:
    """Return the Markdown table of a ladder: a row a run, means over its seeds."""
    figures = figures_of(ladder)
    trained = {
        (r['run'], int(r['seed'])): r for r in rows(RUNS) if r['ladder'] == ladder.name
    }
    columns = sorted({key for found in figures.values() for key in found})
    on_gpu = any(note['gpu_hours'] for note in trained.values())
    cost, label = ('gpu_hours', 'GPU-hours') if on_gpu else ('core_hours', 'core-hours')
    head = ['run', 'seeds', 'epochs', label, *(f'{a} {b}' for a, b in columns)]
    lines = ['| ' + ' | '.join(head) + ' |', '|---|' + '---:|' * (len(head) - 1)]
    for name in dict.fromkeys(run.name for run in ladder.runs):
        same = [
            run for run in figures if run.name == name and (name, run.seed) in trained
        ]
        if not same:
            continue
        notes = [trained[name, run.seed] for run in same]
        cells = [
            name,
            str(len(same)),
            notes[0]['epochs'],
            spread([float(note[cost]) for note in notes], 2 if on_gpu else 1),
            *(spread([figures[run][key] for run in same]) for key in columns),
        ]
        lines.append('| ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines)


def few_labels_table() -> str:
    """Return the Markdown table of ``results/few_labels.csv``: a row for a number."""
    found: dict[int, dict[tuple[str, str, str], float]] = {}
    for row in rows(FEW_LABELS):
        number = int(re.search(r'-(\d+)/config.py$', row['config'])[1])
        kind = Path(row['checkpoint']).parent.name.removesuffix(f'-{number}')
        key = (kind or row['checkpoint'], row['protocol'], row['pool'])
        found.setdefault(number, {})[key] = float(row['mean'])
    lines = ['| labels per class | ' + ' | '.join(FEW_COLUMNS) + ' |']
    lines.append('|---:|' + '---:|' * len(FEW_COLUMNS))
    for number, figures in sorted(found.items()):
        cells = (figures.get(key) for key in FEW_COLUMNS.values())
        texts = ('' if value is None else f'{value:.1f}' for value in cells)
        lines.append(f'| {number:,} | ' + ' | '.join(texts) + ' |')
    return '\n'.join(lines)


def rebuild(document: Path = DOCUMENT) -> list[str]:
    """Rewrite the tables of the document; return the names of their ladders."""
    check(
        document.is_file(), f'no {document}: run this in the top folder of a checkout'
    )
    text, names = document.read_text(), []

    def fill(match: re.Match) -> str:
        names.append(match['name'])
        if match['name'] == FEW_LABELS.stem:
            return f'{match[1]}{few_labels_table()}\n{match[3]}'
        ladder = read_ladder(LADDERS / f'{match["name"]}.py')
        return f'{match[1]}{ladder.question}\n\n{table(ladder)}\n{match[3]}'

    document.write_text(TABLE.sub(fill, text))
    return names
