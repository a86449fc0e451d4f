# default_runtime.py for mmsegmentation: its scope, its visualizer, and pictures of the test.
_base_ = 'default_runtime.py'

default_scope = 'mmseg'
custom_imports = dict(imports=['bootmae_plugin', 'bootmae_plugin.segmentation'])
default_hooks = dict(
    visualization=dict(_delete_=True, type='mmpretrain.SegmentationPictureHook'),
)
visualizer = dict(type='SegLocalVisualizer')
