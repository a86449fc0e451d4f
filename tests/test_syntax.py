"""All sources are Python 3.10: its syntax, and its standard library."""

import ast
from pathlib import Path

import pytest

from tests.tiny import ROOT

OLDEST = (3, 10)  # python_requires in setup.cfg
# Names of the standard library that are newer. Modules, attributes:
NEWER_NAMES = {
    *('tomllib', 'asyncio.TaskGroup', 'asyncio.timeout', 'contextlib.chdir'),
    *('copy.replace', 'datetime.UTC', 'enum.StrEnum', 'enum.verify'),
    *('functools.Placeholder', 'hashlib.file_digest', 'itertools.batched'),
    *('logging.getLevelNamesMapping', 'math.cbrt', 'math.exp2', 'math.sumprod'),
    *('operator.call', 'os.process_cpu_count', 'pathlib.UnsupportedOperation'),
    *('random.binomialvariate', 're.NOFLAG', 'sys.exception', 'sys.monitoring'),
    *('typing.Never', 'typing.NotRequired', 'typing.Required', 'typing.Self'),
    *('typing.Unpack', 'typing.override', 'warnings.deprecated'),
}
NEWER_BUILTINS = {'BaseExceptionGroup', 'ExceptionGroup', 'PythonFinalizationError'}
# Methods of objects, whose class the source does not show, and keyword arguments.
NEWER_METHODS = {'add_note', 'full_match', 'is_junction'}
NEWER_KEYWORDS = {'case_sensitive', 'delete_on_close', 'onexc', 'skip_file_prefixes'}


def newer_than_oldest(source: str) -> list[str]:
    """Return what a source uses that Python 3.10 lacks, with the line numbers."""
    try:
        tree = ast.parse(source, feature_version=OLDEST)
    except SyntaxError as error:
        return [f'{error.lineno}: {error.msg}']
    found = []
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module, *(f'{node.module}.{a.name}' for a in node.names)]
        elif isinstance(node, ast.Attribute):
            owner = node.value
            if isinstance(owner, ast.Name):
                names = [f'{owner.id}.{node.attr}']
            if node.attr in NEWER_METHODS:
                found.append(f'{node.lineno}: .{node.attr}')
        elif isinstance(node, ast.Name) and node.id in NEWER_BUILTINS:
            found.append(f'{node.lineno}: {node.id}')
        elif isinstance(node, ast.keyword) and node.arg in NEWER_KEYWORDS:
            found.append(f'{node.value.lineno}: {node.arg}=')
        found += [f'{node.lineno}: {name}' for name in names if name in NEWER_NAMES]
    return found


def sources() -> list[Path]:
    folders = ('bootmae_plugin', 'configs', 'tests', 'tools')
    paths = (path for folder in folders for path in (ROOT / folder).rglob('*.py'))
    return [path for path in sorted(paths) if '.mim' not in path.parts]


def test_sources_run_on_the_oldest_python():
    found = {
        str(p.relative_to(ROOT)): newer_than_oldest(p.read_text()) for p in sources()
    }
    assert len(found) > 100
    assert {name: newer for name, newer in found.items() if newer} == {}


@pytest.mark.parametrize(
    'source',
    [
        'try: pass\nexcept* OSError: pass',
        'import tomllib',
        'from typing import Self',
        'import contextlib\ncontextlib.chdir("a")',
        'ExceptionGroup("a", [])',
        'error.add_note("a")',
        'shutil.rmtree("a", onexc=print)',
    ],
)
def test_newer_features_are_found(source):
    assert len(newer_than_oldest(source)) == 1
