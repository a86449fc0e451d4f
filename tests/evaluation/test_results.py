"""The table of results: its columns, and files that it does not touch."""

import csv
import subprocess

import pytest

from bootmae_plugin import UserError
from bootmae_plugin.evaluation import Result, append_results
from bootmae_plugin.evaluation.results import COLUMNS

RESULT = Result(
    config='linear/a.py',
    checkpoint='runs/x, y.pth',
    protocol='linear',
    pool='avg',
    split='test',
    labels=50_000,
    scores=(50.0, 52.0, 57.0),
    seeds=(0, 1, 2),
    seconds=12.34,
    command='bootmae linear-probe "a b"',
    effective_rank=9.87,
)


def test_rows_are_appended_below_one_header(tmp_path):
    path = tmp_path / 'results.csv'
    append_results(path, [RESULT])
    append_results(path, [RESULT, RESULT])
    with path.open(newline='') as file:
        header, *rows = csv.reader(file)
    assert header == COLUMNS
    assert len(rows) == 3
    row = dict(zip(header, rows[2], strict=True))
    assert row['checkpoint'] == 'runs/x, y.pth'
    assert row['command'] == 'bootmae linear-probe "a b"'
    assert (row['mean'], row['std']) == ('53.00', '2.94')  # sqrt(26 / 3)
    assert (row['scores'], row['seeds']) == ('50.00 52.00 57.00', '0 1 2')
    assert (row['labels'], row['seconds']) == ('50000', '12.3')
    assert row['effective_rank'] == '9.9'
    assert len(row['date']) == 10


def test_the_commit_is_that_of_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert RESULT.row()['commit'] == ''
    who = ['-c', 'user.name=a', '-c', 'user.email=a@b']
    commit = ['commit', '-q', '--allow-empty', '-m', 'x']
    for words in (['init', '-q'], [*who, *commit]):
        subprocess.run(['git', *words], check=True)
    words = ['git', 'rev-parse', 'HEAD']
    head = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    assert RESULT.row()['commit'] == head[:10]


def test_another_table_is_left_as_it_is(tmp_path):
    path = tmp_path / 'other.csv'
    path.write_text('name,age\n')
    with pytest.raises(UserError, match="other columns.*first: 'name'"):
        append_results(path, [RESULT])
    assert path.read_text() == 'name,age\n'
    with pytest.raises(UserError, match='none does not exist'):
        append_results(tmp_path / 'none' / 'a.csv', [RESULT])
