"""The report of one or several runs: one HTML page that needs no network."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

import numpy as np
from torch import Tensor

from .charts import confusion_chart, line_chart, scatter_chart
from .feature_map import map_to_plane, nearest_neighbors, neighbor_picture
from .page import figure, grid, page, picture, section, table
from .run_files import RunFiles, differences

# Values of the log that are drawn, by the first word of their names.
CURVES = dict(
    loss='loss',
    explained='explained variance of the target',
    base_lr='base learning rate',
    knn='k-NN top-1 (%)',
    rank='effective rank of the features',
    accuracy='accuracy (%)',
    mIoU='mean IoU (%)',
    time='seconds per step',
    momentum='decay of the moving average',
)
SHOWN = 6  # reconstructions over time, at most


@dataclass
class Examples:
    """Images of a run with their features, and the predictions of a classifier.

    Args:
        images: (N, 3, H, W) uint8.
        features: (N, D), or None.
        labels: (N,) long, or None.
        predicted: (N,) long, or None.
        classes: Names of the classes.
    """

    images: Tensor
    features: Tensor | None = None
    labels: Tensor | None = None
    predicted: Tensor | None = None
    classes: Sequence[str] = field(default_factory=list)


def _curves(runs: Sequence[RunFiles]) -> list[str]:
    """Draw every kind of logged value, with the lines of all runs in one chart."""
    charts = []
    for word, what in CURVES.items():
        lines = {}
        for run in runs:
            prefix = f'{run.name}: ' if len(runs) > 1 else ''
            for rows, place in ((run.training, 'at'), (run.validation, 'step')):
                names = dict.fromkeys(
                    key
                    for row in rows
                    for key, value in row.items()
                    if (key == word or key.startswith((f'{word}_', f'{word}/')))
                    and isinstance(value, (int, float))
                )
                for name in names:
                    points = [(row[place], row[name]) for row in rows if name in row]
                    lines[f'{prefix}{name}'] = tuple(zip(*points, strict=True))
        if word == 'loss':  # the sum of a single branch says nothing more
            lines = {k: v for k, v in lines.items() if not k.endswith('loss')} or lines
        if lines:
            stages = runs[0].stage_starts if len(runs) == 1 else ()
            charts.append(figure(line_chart(lines, stages), what))
    return charts


def _summary(runs: Sequence[RunFiles]) -> str:
    facts = [run.facts for run in runs]
    keys = dict.fromkeys(key for each in facts for key in each)
    rows = [[key, *(each.get(key, '') for each in facts)] for key in keys]
    return table(['', *(run.name for run in runs)], rows)


def _commands(runs: Sequence[RunFiles]) -> str:
    return ''.join(
        f'<h3>{escape(run.name)}</h3><pre>{escape(run.command)}</pre>'
        for run in runs
        if run.command
    )


def _reconstructions(run: RunFiles) -> str:
    drawn = run.pictures
    if len(drawn) > SHOWN:  # evenly spread, with the last
        places = np.linspace(0, len(drawn) - 1, SHOWN).round().astype(int)
        drawn = [drawn[place] for place in places]
    return grid(picture(path, f'epoch {epoch}') for epoch, path in drawn)


def _features(examples: Examples) -> list[str]:
    features = examples.features
    if features is None or len(features) < 20:
        return []
    points, method = map_to_plane(features)
    labels = None if examples.labels is None else examples.labels.numpy()
    scatter = scatter_chart(points, labels, examples.classes)
    neighbors = nearest_neighbors(features, queries=8, count=9)
    return [
        grid(
            [
                figure(scatter, f'{len(points)} images, {method} of the features'),
                picture(
                    neighbor_picture(examples.images, neighbors),
                    'an image, then its nearest neighbors by cosine similarity',
                ),
            ]
        )
    ]


def _confusion(examples: Examples) -> list[str]:
    if examples.predicted is None or examples.labels is None:
        return []
    number = len(examples.classes)
    counts = np.zeros((number, number), int)
    true, predicted = examples.labels.numpy(), examples.predicted.numpy()
    np.add.at(counts, (true, predicted), 1)
    right = 100 * (true == predicted).mean()
    caption = f'{len(true)} images, {right:.1f} % right; cells in % of the true class'
    return [figure(confusion_chart(counts, examples.classes), caption)]


def _segmentation(run: RunFiles) -> list[str]:
    last = run.validation[-1] if run.validation else {}
    rows = [
        [k.removeprefix('IoU/'), v] for k, v in last.items() if k.startswith('IoU/')
    ]
    drawn = [run.folder / 'predictions.png']
    return [
        table(['class', 'IoU (%)'], rows) if rows else '',
        *(picture(path, 'predictions') for path in drawn if path.is_file()),
    ]


def build_report(
    runs: Sequence[RunFiles], examples: dict[str, Examples] | None = None
) -> str:
    """Return the HTML of a report.

    Args:
        runs: The runs, compared side by side if there are several.
        examples: Images and features by the name of the run. Default: none.

    Raises:
        UserError: if a folder is no work dir, or has no log yet.
    """
    title = ', '.join(run.name for run in runs)
    stages = len(runs) == 1 and runs[0].stage_starts
    body = [
        section('Runs', _summary(runs), _commands(runs)),
        section(
            'Curves',
            grid(_curves(runs)),
            note='Dotted lines: a stage starts.' if stages else '',
        ),
    ]
    if len(runs) > 1:
        rows = differences([run.config.to_dict() for run in runs])
        head = ['setting', *(run.name for run in runs)]
        different = table(head, rows)
        if len(rows) > 40:  # two kinds of runs
            different = (
                f'<details><summary>{len(rows)} settings</summary>{different}</details>'
            )
        body.append(section('Differences of the configs', different))
    for run in runs:
        after = f' of {run.name}' if len(runs) > 1 else ''
        found = (examples or {}).get(run.name)
        body.append(section(f'Reconstructions{after}', _reconstructions(run)))
        if found is not None:
            body.append(section(f'Features{after}', *_features(found)))
            body.append(section(f'Confusion matrix{after}', *_confusion(found)))
        if run.kind == 'segmenter':
            body.append(section(f'Segmentation{after}', *_segmentation(run)))
        settings = f'<details><summary>{escape(run.name)}</summary><pre>'
        settings += f'{escape(run.config.pretty_text)}</pre></details>'
        body.append(section(f'Config{after}', settings))
    return page(f'Report: {title}', body)
