"""The code of README, docs and notebook: Python is run, commands are parsed.

A block that cannot be checked has a comment above it that says why:
``<!-- not run: needs a GPU -->``.
"""

import ast
import contextlib
import importlib
import io
import json
import re
import shlex
from configparser import ConfigParser
from functools import cache
from importlib.util import find_spec
from typing import NamedTuple

import pytest
import torch

import bootmae_main
from bootmae_plugin.configuration.configs import load_config
from bootmae_plugin.configuration.names import find_config
from bootmae_plugin.errors import UserError
from tests.config_files import OTHERS
from tests.tiny import ROOT

PAGES = [
    *('README.md', 'CONTRIBUTING.md', 'configs/README.md'),
    *(p.relative_to(ROOT).as_posix() for p in sorted((ROOT / 'docs').glob('*.md'))),
]
BLOCK = re.compile(
    r'^(?:<!-- not run: (?P<why>[^>]+) -->\n+)?'
    r'```(?P<language>\w+)\n(?P<code>.*?)^```$',
    re.MULTILINE | re.DOTALL,
)


class Block(NamedTuple):
    """A block of code of a page."""

    page: str
    line: int
    language: str
    code: str


def blocks(*languages: str) -> list:
    """Blocks to check, as parameters of a test."""
    found = []
    for page in PAGES:
        text = (ROOT / page).read_text(encoding='utf-8')
        for match in BLOCK.finditer(text):
            line = text[: match.start('code')].count('\n') + 1
            if match['language'] in languages and match['why'] is None:
                block = Block(page, line, match['language'], match['code'])
                found.append(pytest.param(block, id=f'{page}:{line}'))
    return found


@pytest.mark.parametrize('page', PAGES)
def test_every_block_is_of_a_language_that_is_checked(page):
    text = (ROOT / page).read_text(encoding='utf-8')
    languages = {match['language'] for match in BLOCK.finditer(text)}
    assert languages <= {'python', 'bash', 'text', 'math'}
    assert text.count('\n```') % 2 == 0
    for match in BLOCK.finditer(text):
        assert match['why'] is None or len(match['why'].split()) > 1


@pytest.mark.parametrize('block', blocks('python'))
def test_python_runs(block, tmp_path, monkeypatch):
    code = block.code
    if '_base_' in code:  # a config, which mmengine reads from a file
        (tmp_path / 'selfsup').mkdir()
        (tmp_path / '_base_').symlink_to(ROOT / 'configs/_base_')
        for path in (ROOT / 'configs/selfsup').glob('*.py'):
            (tmp_path / 'selfsup' / path.name).symlink_to(path)
        config = tmp_path / 'selfsup/from_the_docs.py'
        config.write_text(code)
        assert load_config(str(config)).model.type == 'BootMAE'
        return
    monkeypatch.chdir(tmp_path)
    exec(compile(code, f'{block.page}:{block.line}', 'exec'), {'__name__': 'docs'})


def test_the_notebook_runs_and_its_outputs_are_saved(tmp_path, monkeypatch):
    text = (ROOT / 'docs/first_steps.ipynb').read_text(encoding='utf-8')
    assert len(text) < 100_000
    cells = [c for c in json.loads(text)['cells'] if c['cell_type'] == 'code']
    assert all(cell['outputs'] for cell in cells)
    monkeypatch.chdir(tmp_path)
    names = {'__name__': 'notebook'}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # so small a model is slower with more
    try:
        for number, cell in enumerate(cells, 1):
            exec(compile(''.join(cell['source']), f'cell {number}', 'exec'), names)
    finally:
        torch.set_num_threads(threads)
    assert (tmp_path / 'work_dirs/first_steps/stage_2.pth').is_file()
    assert names['picture'].size > (4 * 32, 6 * 32)  # four columns, six digits


def commands(code: str) -> list[list[str]]:
    """Return the words of each command, with the values of the block's variables."""
    code = code.replace('\\\n', ' ')
    for name, value in re.findall(r'^([A-Z]+)=(\S+)$', code, re.MULTILINE):
        code = code.replace(f'${name}', value)
    found = []
    for line in re.split(r'\n| && ', code):
        words = shlex.split(line, comments=True)
        while words and re.match('[A-Z_]+=', words[0]):
            words.pop(0)
        found += [words] if words else []
    return found


def module_of(tool: str) -> str:
    """Return the module that a file of tools/ starts."""
    call = re.search(r'run_command\((.*)\)', (ROOT / tool).read_text())[1]
    name, package = (*re.findall("'(.*?)'", call), 'bootmae_plugin.cli')[:2]
    return f'{package}.{name}'


def check_tool(module: str, words: list[str]) -> None:
    """Read a command line with the tool's own parser; load the config it names."""
    stand_in = dict(CONFIG='selfsup/bootmae_deit-tiny_digits')
    words = [stand_in.get(word, word) for word in words]
    args = importlib.import_module(module).parse_args(words)
    config = getattr(args, 'config', None)
    if config and config.startswith(('runs/', 'work_dirs/')):
        return  # a run has made it
    missing = [part for part, name in OTHERS.items() if find_spec(name) is None]
    if config and any(part in config for part in missing):
        find_config(config)
    elif config:  # refuses options that nothing reads
        load_config(config, getattr(args, 'cfg_options', None))


# Commands that are not ours.
SHELL = {'bootmae', 'cd', 'git', 'mkdocs', 'source', 'tensorboard'}


def check_command(words: list[str]) -> None:
    """Check one command of a shell."""
    extras = ConfigParser()
    extras.read(ROOT / 'setup.cfg')
    if 'bootmae_main' in words:  # torchrun ... -m bootmae_main
        words = ['bootmae', *words[words.index('bootmae_main') + 1 :]]
    match words:
        case ['bootmae', name, *rest] if not name.startswith('-'):
            check_tool(bootmae_main.find_command(name), rest)
        case ['python', tool, *rest] if tool.startswith('tools/'):
            check_tool(module_of(tool), rest)
        case ['bash', 'tools/dist_train.sh', config, _, *rest]:
            check_tool('bootmae_plugin.cli.train', [config, *rest])
        case ['bash', 'tools/slurm_train.sh', _, _, config, work_dir, *rest]:
            options = [config, '--work-dir', work_dir, *rest]
            check_tool('bootmae_plugin.cli.train', options)
        case ['bash', script, *_]:
            assert (ROOT / script).is_file(), script
        case ['pip', 'install', *wanted]:
            for extra in re.findall(r'\[(.*?)\]', ' '.join(wanted)):
                known = extras['options.extras_require']
                assert set(extra.split(',')) <= set(known), extra
        case [program, '-m', 'pytest' | 'ruff', *_]:
            assert program.endswith('python')
        case _:
            assert words[0] in SHELL, f'{words[0]}: mark it, <!-- not run: why -->'


@pytest.mark.parametrize('block', blocks('bash'))
def test_commands_are_those_of_the_tools(block):
    for words in commands(block.code):
        with contextlib.redirect_stderr(io.StringIO()) as complaint:
            try:
                check_command(words)
            except SystemExit:
                pytest.fail(f'{" ".join(words)}: {complaint.getvalue()}')


def test_a_wrong_command_is_noticed():
    for line in (
        'bootmae train selfsup/bootmae_deit-tiny_digits --no-such-option',
        'bootmae train no-such-config',
        'python tools/train.py CONFIG --cfg-options train_cfg.max_epoch=3',
        "pip install '.[no-such-extra]'",
        'bash tools/no_such_script.sh',
        'unknown-program',
    ):
        (words,) = commands(line)
        with (
            contextlib.redirect_stderr(io.StringIO()),
            pytest.raises((SystemExit, UserError, AssertionError)),
        ):
            check_command(words)


def pattern(node: ast.AST) -> str | None:
    """Return a regular expression of the text that an expression makes."""
    match node:
        case ast.Constant(value=str(text)):
            return re.escape(text)
        case ast.JoinedStr(values=parts):
            return ''.join(pattern(part) or '.*' for part in parts)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return (pattern(left) or '.*') + (pattern(right) or '.*')
    return None


@cache
def messages() -> set[str]:
    """Return expressions of all texts of the package that are long enough to quote."""
    paths = [*(ROOT / 'bootmae_plugin').rglob('*.py'), ROOT / 'bootmae_main.py']
    found = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            text = pattern(node)
            if text and len(text.replace('.*', '')) >= 24:
                found.add(text)
    return found


QUOTED = re.findall(
    '^> `(.*)`$', (ROOT / 'docs/troubleshooting.md').read_text('utf-8'), re.MULTILINE
)


@pytest.mark.parametrize('message', QUOTED, ids=lambda message: message[:30])
def test_troubleshooting_quotes_messages_of_the_source(message):
    assert any(re.fullmatch(text, message) for text in messages())


def test_a_message_of_nobody_is_noticed():
    assert len(QUOTED) >= 25
    invented = 'image size 100x100 is not divisible by patch_size=8: good luck'
    assert not any(re.fullmatch(text, invented) for text in messages())
