"""Former import paths: they still work, with a deprecation warning."""

import importlib
import sys
import warnings
from collections.abc import Callable
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

# Former modules -> the modules that have their contents now.
MOVED = {
    'cli.configs': 'configuration.configs',
    'cli.options': 'configuration.options',
    'cli.variables': 'configuration.variables',
    'datasets.archives': 'preparation.archives',
    'datasets.digit_scenes': 'preparation.digit_scenes',
    'datasets.prepare': 'preparation.prepare',
    'datasets.prepare_folder': 'preparation.folder',
    'datasets.publish': 'preparation.publish',
    'datasets.read': 'images',
    'datasets.seg_folder': 'segmentation.data',
    'datasets.transforms': 'datasets.in_memory',
    'engine.checkpoints': 'reliability.checkpoint_hook',
    'engine.exact_resume': 'reliability.resume',
    'engine.finite': 'reliability.finite',
    'engine.guards': 'reliability.runner',
    'engine.interruption': 'reliability.signals',
    'engine.knn': 'evaluation.knn_hook',
    'engine.layer_decay': 'engine.param_groups',
    'engine.loops': 'reliability.loops',
    'engine.quiet': 'engine.progress',
    'engine.random_state': 'reliability.resume',
    'engine.reconstruction': 'visualization.reconstruction_hook',
    'engine.refit': 'reliability.rescale',
    'engine.runner': 'reliability.runner',
    'engine.segmentation': 'segmentation.hook',
    'engine.sharded': 'reliability.sharded',
    'engine.work_dir': 'reliability.work_dir',
    'engine.workers': 'reliability.signals',
    'evaluation.class_iou': 'segmentation.metric',
    'models.formats': 'checkpoints.formats',
    'models.late_log': 'host',
    'models.normalization': 'targets.normalization',
    'models.pretrained': 'checkpoints',
    'models.refuse_pickles': 'checkpoints.safe_loaders',
    'models.targets': 'targets',
    'reliability.batches': 'datasets.seeded_batches',
    'visualization.segmentation': 'segmentation.pictures',
}
# Names that ``bootmae_plugin.engine`` had in 0.1.0 -> the package that has them now.
MOVED_FROM_ENGINE = {
    'BlockFSDPStrategy': 'bootmae_plugin.reliability',
    'ExactEpochLoop': 'bootmae_plugin.reliability',
    'ExactIterLoop': 'bootmae_plugin.reliability',
    'ExactResumeHook': 'bootmae_plugin.reliability',
    'FiniteHook': 'bootmae_plugin.reliability',
    'InterruptHook': 'bootmae_plugin.reliability',
    'Interrupted': 'bootmae_plugin.reliability',
    'KNNHook': 'bootmae_plugin.evaluation',
    'PluginRunner': 'bootmae_plugin.reliability',
    'ReconstructionHook': 'bootmae_plugin.visualization',
    'SafeCheckpointHook': 'bootmae_plugin.reliability',
    'SegmentationPictureHook': 'bootmae_plugin.segmentation',
    'ShardedRunner': 'bootmae_plugin.reliability',
}
PACKAGE = __name__.rpartition('.')[0]


def warn(old: str, new: str) -> None:
    """Warn that a name has moved, at the line that imports it."""
    warnings.warn(
        f'{old} has moved: import it from {new}', DeprecationWarning, stacklevel=3
    )


class _Aliases(MetaPathFinder, Loader):
    """Import hook that finds the modules of :data:`MOVED` under their old names."""

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
        """Restore the module's own spec: it was executed under its new name."""
        old = module.__spec__.name
        module.__spec__ = self.specs.pop(old)


def install_aliases() -> None:
    """Make ``import bootmae_plugin.<old module>`` import the new one and warn."""
    if not any(isinstance(finder, _Aliases) for finder in sys.meta_path):
        sys.meta_path.append(_Aliases())


def moved_names(module: str, names: dict[str, str]) -> Callable[[str], object]:
    """Return the ``__getattr__`` of a module whose names have moved.

    Args:
        module: The ``__name__`` of the module.
        names: Name -> the module that has it now.
    """

    def __getattr__(name: str) -> object:
        if name not in names:
            raise AttributeError(f'module {module!r} has no attribute {name!r}')
        warn(f'{module}.{name}', names[name])
        return getattr(importlib.import_module(names[name]), name)

    return __getattr__
