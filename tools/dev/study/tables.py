"""Rebuild the tables and figures of ``docs/results.md`` from the CSV files in
``results/``.

A table stands between ``<!-- table NAME -->`` and ``<!-- end -->``; NAME is a ladder,
or ``few_labels`` for what ``results/few_labels.sh`` measured. Its figure is
``docs/figures/NAME.svg``.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from statistics import mean, stdev

from bootmae_plugin.errors import check

from .figures import Values, dot_plot, label_curves, write_figure
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


def finished(ladder: Ladder) -> dict[str, list[Run]]:
    """Return the runs in ``results/runs.csv``, one for each seed, by name."""
    noted = {(r['ladder'], r['run'], int(r['seed'])) for r in rows(RUNS)}
    runs: dict[str, list[Run]] = {run.name: [] for run in ladder.runs}
    for run in ladder.runs:
        if (run.ladder, run.name, run.seed) in noted:
            runs[run.name].append(run)
    return {name: same for name, same in runs.items() if same}


def columns_of(ladder: Ladder, figures: Iterable[dict]) -> list[str]:
    """Return the columns that occur, in the order of the ladder, then by name."""
    order = {name: index for index, name in enumerate(ladder.figures)}
    found = {column for one in figures for column in one}
    return sorted(found, key=lambda c: (order.get(c.rpartition(' ')[0], 0), c))


def values_of(ladder: Ladder) -> Values:
    """Return the figures of each finished run by protocol and pooling."""
    done = finished(ladder)
    folders = {str(run.work_dir): run for same in done.values() for run in same}
    found: dict[Run, dict[str, float]] = {}
    for row in rows(csv_of(ladder)):
        run = folders.get(str(Path(row['checkpoint']).parent))
        if run is not None:
            column = f'{row["protocol"]} {row["pool"]}'
            if ladder.figures and row['protocol'] not in ladder.figures:
                continue
            found.setdefault(run, {})[column] = float(row['mean'])
    values: Values = {}
    columns = columns_of(ladder, found.values())
    for name, same in done.items():
        for column in columns:
            seeds = [found[run][column] for run in same if column in found.get(run, {})]
            if seeds:
                values.setdefault(name, {})[column] = seeds
    return values


def table(ladder: Ladder, values: Values) -> str:
    """Return the Markdown table of a ladder: a row a run, means over its seeds."""
    trained = {
        (r['run'], int(r['seed'])): r for r in rows(RUNS) if r['ladder'] == ladder.name
    }
    columns = columns_of(ladder, values.values())
    done = finished(ladder)
    on_gpu = any(note['gpu_hours'] for note in trained.values())
    cost, label = ('gpu_hours', 'GPU-hours') if on_gpu else ('core_hours', 'core-hours')
    head = ['run', 'seeds', 'epochs', label, *columns]
    lines = ['| ' + ' | '.join(head) + ' |', '|---|' + '---:|' * (len(head) - 1)]
    for name, figures in values.items():
        notes = [trained[name, run.seed] for run in done[name]]
        cells = [
            name,
            str(len(notes)),
            notes[0]['epochs'],
            spread([float(note[cost]) for note in notes], 2 if on_gpu else 1),
            *(spread(figures[c]) if c in figures else '' for c in columns),
        ]
        lines.append('| ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines)


def few_labels() -> Values:
    """Return what ``results/few_labels.csv`` says for each number of labels."""
    names = {key: column for column, key in FEW_COLUMNS.items()}
    found: dict[int, dict[str, list[float]]] = {}
    for row in rows(FEW_LABELS):
        number = int(re.search(r'-(\d+)/config.py$', row['config'])[1])
        kind = Path(row['checkpoint']).parent.name.removesuffix(f'-{number}')
        key = (kind or row['checkpoint'], row['protocol'], row['pool'])
        if key in names:
            found.setdefault(number, {})[names[key]] = [float(row['mean'])]
    return {
        str(number): {c: found[number][c] for c in FEW_COLUMNS if c in found[number]}
        for number in sorted(found)
    }


def few_labels_table(values: Values) -> str:
    """Return the Markdown table of :func:`few_labels`: a row for a number."""
    lines = ['| labels per class | ' + ' | '.join(FEW_COLUMNS) + ' |']
    lines.append('|---:|' + '---:|' * len(FEW_COLUMNS))
    for number, figures in values.items():
        texts = (spread(figures[c]) if c in figures else '' for c in FEW_COLUMNS)
        lines.append(f'| {int(number):,} | ' + ' | '.join(texts) + ' |')
    return '\n'.join(lines)


def rebuild(document: Path = DOCUMENT) -> list[str]:
    """Rewrite the tables of the document and its figures; return their names."""
    check(
        document.is_file(), f'no {document}: run this in the top folder of a checkout'
    )
    text, names = document.read_text(), []

    def fill(match: re.Match) -> str:
        name = match['name']
        names.append(name)
        if name == FEW_LABELS.stem:
            values, draw, question = few_labels(), label_curves, ''
            lines = few_labels_table(values)
        else:
            ladder = read_ladder(LADDERS / f'{name}.py')
            values, draw, question = values_of(ladder), dot_plot, ladder.question
            lines = table(ladder, values)
        parts = [question, lines]
        if values:
            write_figure(values, document.parent / f'figures/{name}.svg', draw)
            parts.append(f'![The figures of this table](figures/{name}.svg)')
        body = '\n\n'.join(part for part in parts if part)
        return f'{match[1]}{body}\n{match[3]}'

    document.write_text(TABLE.sub(fill, text))
    return names
