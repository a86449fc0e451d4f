"""mmsegmentation is optional: only bootmae_plugin.segmentation imports it."""

import ast

from tests.tiny import ROOT


def imported_modules(path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = '.' * node.level + (node.module or '')
            found |= {base, *(f'{base}.{alias.name}' for alias in node.names)}
    return found


def test_only_this_room_imports_mmsegmentation():
    package = ROOT / 'bootmae_plugin'
    room = package / 'segmentation'
    using = {
        path
        for path in package.rglob('*.py')
        if '.mim' not in path.relative_to(package).parts
        and any(name.split('.')[0] == 'mmseg' for name in imported_modules(path))
    }
    assert using == {
        room / name
        for name in ('__init__.py', 'data.py', 'metric.py', 'predict.py', 'table.py')
    }
    # and importing the package does not import this room
    assert not any(
        'segmentation' in n for n in imported_modules(package / '__init__.py')
    )
