# Names a class by its full path: needs no registry.
_base_ = 'tiny.py'
model = dict(backbone=dict(type='bootmae_plugin.models.MaskedViT'))
