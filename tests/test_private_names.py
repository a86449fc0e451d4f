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
from mmengine.optim import _ParamScheduler
from mmengine.runner import Runner
from mmpretrain.datasets import CIFAR10
from torch.utils.data import DataLoader

import bootmae_plugin

PACKAGE = Path(bootmae_plugin.__file__).parent
OURS = 'bootmae_plugin.'
# The places, and the upstream names that each of them needs.
PLACES = {
    'datasets.sources': {'_check_integrity'},
    'engine.autocast': {'_is_mkldnn_bf16_supported'},
    'engine.schedulers': {'_ParamScheduler', '_get_value'},
    'engine.strict_runner': {'_maybe_compile'},
    'reliability.checkpoint_hook': {'_save_checkpoint_with_step'},
    'reliability.signals': {'_iterator', '_shutdown_workers'},
}


PYTHON = {'_exit', '_asdict', '_replace'}  # documented names of the standard library


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
    """Names that a file itself gives to something."""
    names = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.Attribute(attr=name, ctx=ast.Store()):
                names.add(name)
            case ast.Name(id=name, ctx=ast.Store()):
                names.add(name)
    return names


def used(tree: ast.AST) -> set[str]:
    """Private names that a file imports, or takes as attributes, also by getattr."""
    names = set()
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name):
                names.add(name)
            case ast.ImportFrom(module=module, names=imported):
                names |= {*(module or '').split('.'), *(one.name for one in imported)}
            case ast.Call(
                func=ast.Name(id='getattr' | 'hasattr' | 'setattr'),
                args=[_, ast.Constant(value=name), *_],
            ):
                names.add(name)
    return {name for name in names if is_private(name)} - PYTHON


def overridden() -> dict[str, set[str]]:
    """Private methods of upstream classes that classes of ours replace, by file."""
    found = {}
    for info in pkgutil.walk_packages([str(PACKAGE)], OURS):
        try:
            module = importlib.import_module(info.name)
        except ImportError:  # an extra is not installed
            continue
        for cls in vars(module).values():
            if not inspect.isclass(cls) or cls.__module__ != info.name:
                continue
            upstream = set()
            for base in cls.__mro__:
                if base.__module__.startswith(('torch', 'mmengine', 'mmpretrain')):
                    upstream |= {name for name in vars(base) if is_private(name)}
            own = {k for k, value in vars(cls).items() if inspect.isroutine(value)}
            if own & upstream:
                found[info.name.removeprefix(OURS)] = own & upstream
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


def test_schedulers_calculate_by_get_value():
    assert 'self._get_value()' in inspect.getsource(_ParamScheduler.step)
    for name in ('base_values', 'last_step'):
        assert f'self.{name} = ' in inspect.getsource(_ParamScheduler.__init__)


def test_torch_knows_whether_a_cpu_has_bf16():
    assert torch.ops.mkldnn._is_mkldnn_bf16_supported() in (True, False)


def test_cifar10_checks_its_files_by_check_integrity():
    assert inspect.signature(CIFAR10._check_integrity).parameters.keys() == {'self'}


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
