"""The scope ``bootmae_plugin``: a child of each of mmpretrain's registries.

All classes of the plugin are registered in mmpretrain. mmengine needs this scope only
for configs that are inherited as ``bootmae_plugin::selfsup/...``: it writes the scope
into every dict of such a config and looks the classes up here, and then in mmpretrain.
"""

import mmpretrain.registry as parent_registry
from mmengine.registry import Registry


class ChildRegistry(Registry):
    """A registry that imports the classes of its parent before it looks one up."""

    def import_from_location(self) -> None:
        """Import the modules whose classes the parent and this registry know."""
        self.parent.import_from_location()
        super().import_from_location()


for _name in parent_registry.__all__:
    _parent = getattr(parent_registry, _name)
    globals()[_name] = ChildRegistry(
        _parent.name,
        parent=_parent,
        scope='bootmae_plugin',
        locations=['bootmae_plugin'],
    )

__all__ = list(parent_registry.__all__)
