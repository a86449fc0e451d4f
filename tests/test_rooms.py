"""The rooms of the package: imports go down the list, never up, never in a circle."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.tiny import ROOT

PACKAGE = ROOT / 'bootmae_plugin'
# From the top floor to the ground; rooms of one floor do not import each other.
FLOORS = (
    ('cli',),
    ('preparation', 'visualization', 'evaluation', 'segmentation'),
    ('reliability',),
    ('engine',),
    ('models', 'datasets'),
    ('checkpoints',),
    ('errors', 'moved', 'registry', 'version'),
)
FLOOR = {room: -level for level, rooms in enumerate(FLOORS) for room in rooms}


def imports(path: Path) -> set[str]:
    """Dotted names below the package that a file imports, inside functions, too."""
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


def room(name: str) -> str:
    return name.split('.')[0]


def test_imports_go_down():
    wrong = []
    for path in files():
        name = str(path.relative_to(PACKAGE))
        own = room(name.removesuffix('.py').replace('/', '.'))
        if name == '__init__.py':
            continue
        assert own in FLOOR, f'{own} is no room: add it to FLOORS, or move {name}'
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


@pytest.mark.parametrize('limit', [350])
def test_files_read_in_one_sitting(limit):
    long = {str(p): n for p in files() if (n := p.read_text().count('\n')) > limit}
    assert long == {}
