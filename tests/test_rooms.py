"""The rooms of the package: what each may import, may know, and how large it is."""

import ast
import re
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / 'bootmae_plugin'
# From top to bottom: a room imports only rooms of the floors below its own.
FLOORS = (
    ('cli',),
    ('configuration', 'deployment'),
    ('preparation', 'visualization', 'evaluation', 'segmentation'),
    ('reliability',),
    ('engine',),
    ('models', 'datasets'),
    ('targets',),
    ('checkpoints', 'images'),
    ('errors', 'flops', 'hints', 'host', 'moved', 'registry', 'version'),
)
FLOOR = {room: -level for level, rooms in enumerate(FLOORS) for room in rooms}


def imports(path: Path) -> set[str]:
    """Return what a file imports from the package, also inside functions."""
    inside = path.relative_to(PACKAGE).parts[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            if node.level:
                parts = inside[: len(inside) - node.level + 1]
            elif (node.module or '').split('.')[0] == PACKAGE.name:
                parts = ()
            else:
                continue
            module = (node.module or '').removeprefix(PACKAGE.name).strip('.')
            base = [*parts, *filter(None, module.split('.'))]
            found |= {'.'.join([*base, alias.name]) for alias in node.names}
        elif isinstance(node, ast.Import):
            names = (alias.name for alias in node.names)
            found |= {
                name.removeprefix(f'{PACKAGE.name}.')
                for name in names
                if name.startswith(f'{PACKAGE.name}.')
            }
    return found


def files() -> list[Path]:
    return [p for p in sorted(PACKAGE.rglob('*.py')) if '.mim' not in p.parts]


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def room(name: str) -> str:
    return name.split('.')[0]


def test_imports_go_down():
    wrong = []
    for path in files():
        name = name_of(path)
        own = room(name.removesuffix('.py').replace('/', '.'))
        if name == '__init__.py':
            continue
        assert own in FLOOR, f'{own} is not in FLOORS: add it, or move {name}'
        wrong += [
            f'{name} imports {target}'
            for target in imports(path)
            if room(target) in FLOOR
            and room(target) != own
            and FLOOR[room(target)] >= FLOOR[own]
        ]
    assert wrong == []


def test_no_file_imports_in_a_circle():
    modules = {
        '.'.join(p.relative_to(PACKAGE).with_suffix('').parts): imports(p)
        for p in files()
        if p.name != '__init__.py'
    }

    def module_of(name: str) -> str:
        return name if name in modules else name.rpartition('.')[0]

    graph = {
        name: {module_of(t) for t in targets} & modules.keys()
        for name, targets in modules.items()
    }
    tuple(TopologicalSorter(graph).static_order())  # raises and names a circle


# What only some files may mention: pattern -> these files, or rooms (with a slash).
SECRETS = {
    # That weights can be sharded. cli/cost.py estimates the memory that this saves.
    r'(?i)fsdp|fully_?shard': (
        'reliability/sharded.py',
        'reliability/__init__.py',
        'cli/cost.py',
        'moved.py',
    ),
    # How weights are stored. The cache of evaluation/ has features, not weights.
    r'torch\.(load|save)\(': ('checkpoints/',),
    r'(from|import) safetensors': ('checkpoints/', 'evaluation/'),
    # That a run can be killed or told to stop.
    r'SIG(TERM|INT|USR)|os\.kill|Interrupt': ('reliability/', 'cli/', 'moved.py'),
}


@pytest.mark.parametrize(('pattern', 'allowed'), SECRETS.items())
def test_a_room_keeps_its_secret(pattern, allowed):
    found = [name_of(p) for p in files() if re.search(pattern, p.read_text())]
    assert [name for name in found if not name.startswith(allowed)] == []
    assert found, f'nothing matches {pattern}: the rule has lost its object'


def test_the_engine_does_not_know_how_weights_are_distributed():
    texts = {name_of(p): p.read_text() for p in files()}
    engine = [text for name, text in texts.items() if name.startswith('engine/')]
    assert not any(re.search(r'(?i)shard', text) for text in engine)


@pytest.mark.parametrize('limit', [350])
def test_a_file_has_a_readable_length(limit):
    lengths = {name_of(p): p.read_text().count('\n') for p in files()}
    assert {name: n for name, n in lengths.items() if n > limit} == {}


@pytest.mark.parametrize('limit', [12])
def test_a_room_has_at_most_a_dozen_files(limit):
    modules = [p for p in files() if p.name != '__init__.py' and p.parent != PACKAGE]
    numbers = Counter(room(name_of(p).replace('/', '.')) for p in modules)
    del numbers['cli']  # has a file for each subcommand
    assert {name: n for name, n in numbers.items() if n > limit} == {}
