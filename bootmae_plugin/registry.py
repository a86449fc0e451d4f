"""The scope ``bootmae_plugin``: a child of mmpretrain's registries.

Everything is registered into mmpretrain. This scope is only looked up when a config is
inherited as ``bootmae_plugin::selfsup/...``: mmengine then stamps the scope on every
dict it loads, and finds the plugin's and mmpretrain's classes through these nodes.
"""

import mmpretrain.registry as parent_registry
from mmengine.registry import Registry

for _name in parent_registry.__all__:
    _parent = getattr(parent_registry, _name)
    globals()[_name] = Registry(
        _parent.name,
        parent=_parent,
        scope='bootmae_plugin',
        locations=[*_parent._locations, 'bootmae_plugin'],
    )

__all__ = list(parent_registry.__all__)
