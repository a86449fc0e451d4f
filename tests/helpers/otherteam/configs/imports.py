# Its imports replace the inherited ones, and so do not name bootmae_plugin.
_base_ = 'tiny.py'
custom_imports = dict(imports=['otherteam.hooks'])
custom_hooks = [dict(type='SignCheckpoint')]
