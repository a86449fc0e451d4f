"""The example calls commands that exist, each after the one that makes its input."""

import importlib
import os
import shlex
import subprocess

import pytest

import bootmae_main
from tests.tiny import ROOT

SCRIPT = ROOT / 'examples/own_photos.sh'


@pytest.fixture
def start(tmp_path):
    """Function that runs the script with a ``bootmae`` that only notes its words."""
    fake = tmp_path / 'bin/bootmae'
    fake.parent.mkdir()
    fake.write_text('#!/bin/sh\nprintf "%s\\n" "$*" >> commands\n')
    fake.chmod(0o755)
    path = f'{fake.parent}{os.pathsep}{os.environ["PATH"]}'

    def run(*words):
        env = dict(os.environ, PATH=path, OUT='out')
        result = subprocess.run(
            ['bash', SCRIPT, *words],
            cwd=tmp_path, env=env, capture_output=True, text=True,
        )  # fmt: skip
        noted = tmp_path / 'commands'
        commands = noted.read_text().splitlines() if noted.exists() else []
        noted.unlink(missing_ok=True)
        return result, [shlex.split(command) for command in commands]

    return run


CLASSIFY = ['pretrain', 'probe', 'finetune', 'predict', 'export', 'predict']
SEGMENT = ['segment', 'predict', 'export', 'predict']


@pytest.mark.parametrize(
    ('words', 'expected'),
    [
        ([], ['data', 'data', *CLASSIFY, *SEGMENT, 'report']),
        (['photos', 'labeled', 'new'], [*CLASSIFY, 'report']),
        (list('abcde'), [*CLASSIFY, *SEGMENT, 'report']),
    ],
)
def test_every_command_can_be_parsed(start, words, expected):
    pytest.importorskip('mmseg', reason='mmsegmentation is not installed')
    result, commands = start(*words)
    assert result.returncode == 0, result.stderr
    assert [name for name, *_ in commands] == expected
    made, options = set(), {}
    for name, *rest in commands:
        module = importlib.import_module(bootmae_main.find_command(name))
        options = vars(module.parse_args(rest))
        given = [options[key] for key in ('run', 'model') if key in options]
        given += options.get('runs', [])
        assert {str(path) for path in given} <= made
        result_of = options.get('output') or options['out']
        assert str(result_of) not in made  # nothing would be overwritten
        made.add(str(result_of))


def test_other_arguments_get_the_usage(start):
    result, commands = start('photos')
    assert result.returncode == 2 and commands == []
    assert result.stderr.startswith('usage: bash ') and result.stderr.count('\n') == 1
