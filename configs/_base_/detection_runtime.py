# default_runtime.py for mmdetection: its scope, its visualizer, and the pyramid of mmsegmentation.
_base_ = 'default_runtime.py'

default_scope = 'mmdet'
custom_imports = dict(imports=['bootmae_plugin', 'mmseg.models', 'mmdet.models'])
default_hooks = dict(
    visualization=dict(_delete_=True, type='DetVisualizationHook'),
)
visualizer = dict(type='DetLocalVisualizer')
