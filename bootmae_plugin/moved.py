"""Old import paths, which still work and warn."""

import importlib
import sys
import warnings
from collections.abc import Callable
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

# Modules of 0.1.0 -> where their contents are now.
MOVED = {
    'datasets.archives': 'preparation.archives',
    'datasets.digit_scenes': 'preparation.digit_scenes',
    'datasets.prepare': 'preparation.prepare',
    'datasets.prepare_folder': 'preparation.folder',
    'datasets.publish': 'preparation.publish',
    'datasets.seeded_batches': 'reliability.batches',
    'datasets.seg_folder': 'segmentation.data',
    'engine.checkpoints': 'reliability.checkpoint_hook',
    'engine.exact_resume': 'reliability.resume',
    'engine.finite': 'reliability.finite',
    'engine.guards': 'reliability.guards',
    'engine.interruption': 'reliability.signals',
    'engine.knn': 'evaluation.knn_hook',
    'engine.loops': 'reliability.loops',
    'engine.random_state': 'reliability.random_state',
    'engine.reconstruction': 'visualization.reconstruction_hook',
    'engine.refit': 'reliability.rescale',
    'engine.runner': 'reliability.runner',
    'engine.segmentation': 'segmentation.hook',
    'engine.sharded': 'reliability.sharded',
    'engine.work_dir': 'reliability.work_dir',
    'engine.workers': 'reliability.workers',
    'evaluation.class_iou': 'segmentation.metric',
    'models.formats': 'checkpoints.formats',
    'models.pretrained': 'checkpoints',
    'models.refuse_pickles': 'checkpoints.safe_loaders',
    'visualization.segmentation': 'segmentation.pictures',
}
PACKAGE = __name__.rpartition('.')[0]


def warn(old: str, new: str) -> None:
    """Say once per place that a name has moved."""
    warnings.warn(
        f'{old} has moved: import it from {new}', DeprecationWarning, stacklevel=3
    )


class _Aliases(MetaPathFinder, Loader):
    """Finds the modules in :data:`MOVED` under their old names."""

    def __init__(self) -> None:
        self.specs: dict[str, ModuleSpec] = {}

    def find_spec(self, name: str, path=None, target=None) -> ModuleSpec | None:
        old = name.removeprefix(f'{PACKAGE}.')
        return ModuleSpec(name, self) if old in MOVED and old != name else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        new = f'{PACKAGE}.{MOVED[spec.name.removeprefix(f"{PACKAGE}.")]}'
        warn(spec.name, new)
        module = importlib.import_module(new)
        self.specs[spec.name] = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Keep what it is: it has been executed under its new name."""
        old = module.__spec__.name
        module.__spec__ = self.specs.pop(old)


def install_aliases() -> None:
    """Let ``import bootmae_plugin.<old module>`` find the new one, with a warning."""
    if not any(isinstance(finder, _Aliases) for finder in sys.meta_path):
        sys.meta_path.append(_Aliases())


def moved_names(module: str, names: dict[str, str]) -> Callable[[str], object]:
    """A module's ``__getattr__`` for names that are now elsewhere.

    Args:
        module: Its ``__name__``.
        names: Name -> module that has it now.
    """

    def __getattr__(name: str) -> object:
        if name not in names:
            raise AttributeError(f'module {module!r} has no attribute {name!r}')
        warn(f'{module}.{name}', names[name])
        return getattr(importlib.import_module(names[name]), name)

    return __getattr__
