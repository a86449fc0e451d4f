"""tools/study.py: ladders, core-hours, and the tables of the document."""

import csv
import json
import re

import pytest

from bootmae_plugin import UserError
from bootmae_plugin.configuration.configs import load_config
from bootmae_plugin.evaluation.results import COLUMNS
from bootmae_plugin.visualization import RunFiles
from dev.study import runs, tables
from dev.study.ladder import TEST, read_ladder
from tests.tiny import ROOT

LADDER = """
question = 'Which?'
config = 'some_config'
benchmark = 'a.py'
pools = ['avg']
seeds = [0, 1]
options = {'train_cfg.max_epochs': 2}
runs = {'base, K = 4': {}, 'other': {'config': 'other_config', 'a.b': [1, 2]}}
"""


@pytest.fixture
def ladder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / 'results/ladders/which.py'
    path.parent.mkdir(parents=True)
    path.write_text(LADDER)
    return path


def test_a_ladder_lists_its_runs_for_each_seed(ladder):
    found = read_ladder(ladder).runs
    assert [(run.name, run.seed, run.config) for run in found] == [
        ('base, K = 4', 0, 'some_config'),
        ('other', 0, 'other_config'),
        ('base, K = 4', 1, 'some_config'),
        ('other', 1, 'other_config'),
    ]
    assert found[3].words == [
        'train_cfg.max_epochs=2',
        'a.b=[1,2]',
        'randomness.seed=1',
    ]
    assert str(found[0].work_dir) == 'work_dirs/study/which/base-k-4_seed0'
    assert [run.name for run in read_ladder(ladder, ['other']).runs] == ['other'] * 2
    assert read_ladder(ladder, ['other'], [1]).runs == [found[3]]


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (('seeds = [0, 1]', ''), 'seeds=None must be a list'),
        (("question = 'Which?'", 'question = 3'), 'question=3 must be a str'),
        (("'other':", "'Base  K 4':"), 'two runs share a work dir'),
        (('seeds = [0, 1]', 'seeds = ('), 'is no ladder: SyntaxError'),
        (('seeds', "figures = 'mIoU'\nseeds"), "figures='mIoU' must be a list"),
    ],
)
def test_wrong_ladders_are_refused(ladder, change, message):
    ladder.write_text(LADDER.replace(*change))
    with pytest.raises(UserError, match=message):
        read_ladder(ladder)


def test_missing_ladders_and_runs_are_refused(ladder):
    with pytest.raises(UserError, match="has no run .'third'.: choose of"):
        read_ladder(ladder, ['third'])
    with pytest.raises(UserError, match='has no seed .2.: choose of .0, 1.'):
        read_ladder(ladder, seeds=[1, 2])
    with pytest.raises(UserError, match='no ladder'):
        read_ladder(ladder.with_name('missing.py'))


def write_log(folder, *parts):
    for number, steps in enumerate(parts):
        path = folder / f'20260101_00000{number}/vis_data/scalars.json'
        path.parent.mkdir(parents=True)
        (path.parents[1] / 'run.log').write_text('cpu: training in float32\n')
        rows = [
            dict(loss=1.0, iter=s, step=s, time=t, epoch=1 + s // 100) for s, t in steps
        ]
        rows.append({'accuracy/top1': 5.0, 'step': 1, 'time': 99.0})
        path.write_text('\n'.join(map(json.dumps, rows)))


def test_a_ladder_without_a_finished_run_has_no_figure(ladder, tmp_path):
    document = tmp_path / 'results.md'
    document.write_text('<!-- table which -->\n<!-- end -->\n')
    assert tables.rebuild(document) == ['which']
    assert 'figures/' not in document.read_text()
    assert not (tmp_path / 'figures').exists()


def test_the_time_of_a_step_leaves_pauses_out(tmp_path):
    # The process was stopped for an hour in its second half.
    write_log(tmp_path, [(50, 2.0), (100, 2.0), (150, 362.0), (200, 2.0)])
    assert runs.steps_of(RunFiles(tmp_path)) == {1: (200, 2.0)}


def test_each_stage_has_its_steps(tmp_path):
    write_log(tmp_path, [(100, 1.0), (150, 3.0), (200, 3.0), (250, 3.0)])
    path = next(tmp_path.glob('*/vis_data/scalars.json'))
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        row['stage'] = 1 if row['step'] <= 100 else 2
    path.write_text('\n'.join(map(json.dumps, rows)))
    assert runs.steps_of(RunFiles(tmp_path)) == {1: (100, 1.0), 2: (150, 3.0)}
    facts = runs.facts_of(RunFiles(tmp_path), threads=2)
    assert facts['core_hours'] == round((100 + 150 * 3) * 2 / 3600, 2)
    assert facts['step_seconds'] == '1 3'


def test_each_step_counts_once(tmp_path):
    # Interrupted after step 100; the resumed run repeats the steps after 50.
    write_log(tmp_path, [(50, 1.0), (100, 1.0)], [(100, 3.0), (150, 2.0)])
    assert runs.steps_of(RunFiles(tmp_path)) == {1: (150, 2.0)}
    with pytest.raises(UserError, match='holds no log'):
        runs.steps_of(RunFiles(tmp_path / 'empty'))


def test_tables_come_from_the_csv_files(ladder, tmp_path):
    found = read_ladder(ladder)
    figures = {('base, K = 4', 0): 50.0, ('base, K = 4', 1): 52.0, ('other', 0): 40.0}
    with open('results/which.csv', 'w', newline='') as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for run in found.runs:
            if (run.name, run.seed) not in figures:
                continue
            write_log(run.work_dir, [(50, 3.6), (100, 3.6)])
            runs.note(run, 'c0ffee', threads=1)
            row = dict(
                checkpoint=run.work_dir / 'epoch_2.pth',
                protocol='linear',
                pool='avg',
                mean=figures[run.name, run.seed],
            )
            writer.writerow({**dict.fromkeys(COLUMNS, ''), **row})
    resumed = found.runs[0].work_dir / '20260102_000000'  # it had nothing to train
    resumed.mkdir()
    (resumed / 'run.log').write_text('')
    runs.note(found.runs[0], 'c0ffee', threads=1)  # again: the row is replaced
    assert len(runs.rows(runs.RUNS)) == 3
    assert {row['precision'] for row in runs.rows(runs.RUNS)} == {'fp32'}
    assert {row['date'] for row in runs.rows(runs.RUNS)} == {'20260101'}
    document = tmp_path / 'results.md'
    text = 'before\n<!-- table which -->\nold\n<!-- end -->\nafter\n'
    document.write_text(text)
    assert tables.rebuild(document) == ['which']
    assert document.read_text() == (
        'before\n<!-- table which -->\nWhich?\n\n'
        '| run | seeds | epochs | core-hours | linear avg |\n'
        '|---|---:|---:|---:|---:|\n'
        '| base, K = 4 | 2 | 2 | 0.1 ± 0.0 | 51.0 ± 1.4 |\n'
        '| other | 1 | 2 | 0.1 | 40.0 |\n\n'
        '![The figures of this table](figures/which.svg)\n'
        '<!-- end -->\nafter\n'
    )
    figure = (tmp_path / 'figures/which.svg').read_text()
    assert '<desc>base, K = 4: linear avg 50.0 52.0\nother: linear avg 40.0<' in figure


def test_a_ladder_says_which_figures_its_table_has(ladder):
    ladder.write_text(LADDER + "figures = ['mIoU', 'aAcc']\n")
    found = read_ladder(ladder)
    run = found.runs[0]
    write_log(run.work_dir, [(50, 3.6)])
    runs.note(run, 'c0ffee', threads=1)
    with open('results/which.csv', 'w', newline='') as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for protocol, mean in [('aAcc', 80), ('mIoU', 40), ('IoU/sky', 90)]:
            row = dict(protocol=protocol, pool='featmap', mean=mean)
            row['checkpoint'] = run.work_dir / 'epoch_2.pth'
            writer.writerow({**dict.fromkeys(COLUMNS, ''), **row})
    head, _, line = tables.table(found, tables.values_of(found)).splitlines()
    assert head.endswith('| core-hours | mIoU featmap | aAcc featmap |')
    assert line.endswith('| 40.0 | 80.0 |')


@pytest.mark.parametrize(
    ('gpu', 'cost'), [('', ('0.4', '')), ('NVIDIA H200', ('', '0.05'))]
)
def test_the_cost_of_a_run_is_that_of_its_device(ladder, gpu, cost):
    run = read_ladder(ladder).runs[0]
    write_log(run.work_dir, [(100, 7.2)])  # 0.2 hours
    (log,) = run.work_dir.glob('*/*.log')
    environment = f'    CUDA available: {bool(gpu)}\n    GPU number: 1\n'
    log.write_text(environment + (f'    GPU 0: {gpu}\n' if gpu else ''))
    runs.note(run, 'c0ffee', threads=2, jobs=4)
    (row,) = runs.rows(runs.RUNS)
    assert (row['core_hours'], row['gpu_hours']) == cost
    assert row['device'] == (gpu or 'CPU')
    benchmark = dict(
        checkpoint=run.work_dir / 'x.pth', protocol='linear', pool='avg', mean=1.0
    )
    with open('results/which.csv', 'w', newline='') as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerow({**dict.fromkeys(COLUMNS, ''), **benchmark})
    found = read_ladder(ladder)
    text = tables.table(found, tables.values_of(found))
    assert (' 0.05 |' in text and 'GPU-hours' in text) if gpu else ' 0.4 |' in text


def test_a_trained_classifier_is_tested_by_its_own_config(ladder, monkeypatch):
    ladder.write_text(LADDER.replace("'a.py'", "'test'"))
    found, started = read_ladder(ladder), []
    monkeypatch.setattr(runs, 'start', lambda words, *args: started.append(words))
    run = found.runs[0]
    runs.evaluate(found, run, run.work_dir / 'epoch_2.pth', threads=1)
    folder = str(run.work_dir)
    assert started == [
        ['test.py', f'{folder}/some_config.py', f'{folder}/epoch_2.pth']
        + ['--work-dir', f'{folder}/test', '--csv', 'results/which.csv']
    ]


def test_all_runs_end_before_a_failure_is_told(ladder, monkeypatch):
    ended = []

    def train(run, threads):
        if run.name == 'other' and run.seed == 0:
            raise UserError('train.py ended with status 1')
        return run.work_dir / 'epoch_2.pth'

    monkeypatch.setattr(runs, 'train', train)
    monkeypatch.setattr(runs, 'evaluate', lambda *args: None)
    monkeypatch.setattr(runs, 'note', lambda run, *args: ended.append(run.seed))
    with pytest.raises(UserError, match='status 1'):
        runs.climb(read_ladder(ladder), threads=1, jobs=2)
    assert sorted(ended) == [0, 1, 1]
    with open('results/which.csv', newline='') as file:
        assert list(csv.reader(file)) == [COLUMNS]


def test_the_commit_of_a_run_is_that_of_its_start(ladder, monkeypatch):
    heads, noted = ['0'], []

    def train(run, threads):
        heads.append(str(len(heads)))  # somebody commits meanwhile
        return run.work_dir / 'epoch_2.pth'

    monkeypatch.setattr(runs, 'get_git_hash', lambda **_: heads[-1])
    monkeypatch.setattr(runs, 'train', train)
    monkeypatch.setattr(runs, 'evaluate', lambda *args: None)
    monkeypatch.setattr(runs, 'note', lambda run, commit, *_: noted.append(commit))
    runs.climb(read_ladder(ladder), threads=1)
    assert noted == heads[:-1] and len(noted) > 1


def test_the_table_of_few_labels(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    figures = [
        ('probe-10', 'x/encoder/epoch_8.pth', 'linear', 'avg', 30.04),
        ('probe-10', 'random', 'linear', 'flatten64', 20.0),
        ('probe-10', '', 'linear', 'pixels', 25.0),
        ('pretrained-10', 'x/pretrained-10/epoch_9.pth', 'accuracy/top1', 'avg', 40.0),
        ('pretrained-10', 'x/random-10/epoch_9.pth', 'accuracy/top1', 'avg', 27.0),
        ('probe-1000', 'x/encoder/epoch_8.pth', 'linear', 'avg', 50.0),
    ]
    tables.FEW_LABELS.parent.mkdir()
    with tables.FEW_LABELS.open('w', newline='') as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for run, checkpoint, protocol, pool, mean in figures:
            row = dict(config=f'x/{run}/config.py', checkpoint=checkpoint, mean=mean)
            row = dict(row, protocol=protocol, pool=pool)
            writer.writerow({**dict.fromkeys(COLUMNS, ''), **row})
    document = tmp_path / 'results.md'
    document.write_text('<!-- table few_labels -->\n<!-- end -->\n')
    assert tables.rebuild(document) == ['few_labels']
    assert document.read_text().splitlines()[3:5] == [
        '| 10 |  | 30.0 |  | 40.0 | 27.0 | 20.0 | 25.0 |',
        '| 1,000 |  | 50.0 |  |  |  |  |  |',
    ]


def test_the_ladders_of_the_project_are_valid():
    for path in sorted((ROOT / 'results/ladders').glob('*.py')):
        ladder = read_ladder(path)
        assert ladder.benchmark == TEST or (ROOT / ladder.benchmark).is_file(), path
        for run in {run.name: run for run in ladder.runs}.values():  # of one seed
            load_config(run.config, dict(run.options))  # refuses unknown settings


def test_the_document_shows_the_csv_files(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    copy = tmp_path / 'results.md'
    copy.write_text(tables.DOCUMENT.read_text())
    names = tables.rebuild(copy)
    assert copy.read_text() == tables.DOCUMENT.read_text()
    shown = tables.DOCUMENT.parent / 'figures'
    assert {path.stem for path in shown.iterdir()} == set(names)
    for name in names:  # the drawing itself depends on the version of matplotlib
        new, old = (
            folder / f'{name}.svg' for folder in (copy.parent / 'figures', shown)
        )
        text = re.compile('<desc>(.*?)</desc>', re.S)
        assert text.search(new.read_text())[1] == text.search(old.read_text())[1]
