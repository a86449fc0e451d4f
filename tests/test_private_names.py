"""Private names of torch, mmengine and mmpretrain: the few that the package relies on.

An upgrade that renames one fails here, not in a user's run. There are at most six
places; look for a public way first (a registered subclass, a config key, a callback).
"""

import ast
import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest
import torch
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner
from torch.utils.data import DataLoader

import bootmae_plugin

PACKAGE = Path(bootmae_plugin.__file__).parent
OURS = 'bootmae_plugin.'
# The places, and the upstream names that each of them needs.
PLACES = {
    'reliability.checkpoint_hook': {'_save_checkpoint_with_step'},
    'reliability.runner': {'_maybe_compile'},
    'reliability.signals': {'_iterator', '_shutdown_workers'},
}


def is_private(name: str) -> bool:
    return name.startswith('_') and not name.endswith('__') and name != '_'


def sources() -> dict[str, ast.Module]:
    found = {}
    for path in sorted(PACKAGE.rglob('*.py')):
        if '.mim' not in path.parts:
            name = '.'.join(path.relative_to(PACKAGE).with_suffix('').parts)
            found[name] = ast.parse(path.read_text())
    return found


def defined(tree: ast.AST) -> set[str]:
    """Names that the file itself gives to something."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Attribute | ast.Name) and isinstance(
            node.ctx, ast.Store
        ):
            names.add(node.attr if isinstance(node, ast.Attribute) else node.id)
    return names


def used(tree: ast.AST) -> set[str]:
    """Private attributes, strings given to getattr, and imported private names."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            names.add(node.attr)
        elif isinstance(node, ast.ImportFrom):
            if node.level == 0:
                names |= {part for part in (node.module or '').split('.')}
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id in ('getattr', 'hasattr', 'setattr') and len(node.args) > 1:
                if isinstance(node.args[1], ast.Constant):
                    names.add(node.args[1].value)
    return {name for name in names if isinstance(name, str) and is_private(name)}


def overridden() -> dict[str, set[str]]:
    """Private methods of upstream classes that classes of ours replace."""
    found = {}
    for info in pkgutil.walk_packages([str(PACKAGE)], OURS):
        try:
            module = importlib.import_module(info.name)
        except ImportError:  # an extra is not installed
            continue
        for cls in vars(module).values():
            if not inspect.isclass(cls) or cls.__module__ != info.name:
                continue
            upstream = [b for b in cls.__mro__ if not b.__module__.startswith(OURS)]
            upstream = [b for b in upstream if '.' in b.__module__]  # not the stdlib's
            for name, value in vars(cls).items():
                if is_private(name) and inspect.isroutine(value):
                    if any(name in vars(base) for base in upstream):
                        found.setdefault(info.name.removeprefix(OURS), set()).add(name)
    return found


def test_there_are_only_the_places_that_are_listed():
    trees = sources()
    ours = set().union(*map(defined, trees.values()))
    found = {name: used(tree) - ours for name, tree in trees.items()}
    for name, names in overridden().items():
        found[name] = found.get(name, set()) | names
    assert {name: names for name, names in found.items() if names} == PLACES
    assert len(PLACES) <= 6


def test_checkpoint_hook_saves_by_save_checkpoint_with_step():
    hook = CheckpointHook
    parameters = inspect.signature(hook._save_checkpoint_with_step).parameters
    assert [*parameters] == ['self', 'runner', 'step', 'meta']
    for caller in (hook._save_checkpoint, hook._save_best_checkpoint):
        assert 'self._save_checkpoint_with_step(' in inspect.getsource(caller)


def test_runner_compiles_by_maybe_compile():
    assert [*inspect.signature(Runner._maybe_compile).parameters] == ['self', 'target']
    assert "self._maybe_compile('train_step')" in inspect.getsource(Runner.train)


def test_data_loader_ends_workers_by_shutdown_workers():
    loader = DataLoader(range(4), num_workers=1, persistent_workers=True)
    next(iter(loader))
    (worker,) = loader._iterator._workers
    loader._iterator._shutdown_workers()
    assert not worker.is_alive()


@pytest.mark.parametrize('name', ['found_inf', 'grad_scale'])
def test_fused_optimizers_take(name):
    """Public attributes of ours on the optimizer, which torch reads by these names."""
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.AdamW([weight], fused=True)
    setattr(optimizer, name, torch.tensor(1.0))
    weight.grad = torch.ones(2)
    optimizer.step()
    assert torch.equal(weight, torch.ones(2)) == (name == 'found_inf')
