# What every run of mmsegmentation has: default_runtime in mmseg's scope.
_base_ = 'default_runtime.py'

default_scope = 'mmseg'
custom_imports = dict(imports=['bootmae_plugin', 'bootmae_plugin.segmentation'])
default_hooks = dict(
    visualization=dict(_delete_=True, type='mmpretrain.SegmentationPictureHook'),
)
visualizer = dict(type='SegLocalVisualizer')
