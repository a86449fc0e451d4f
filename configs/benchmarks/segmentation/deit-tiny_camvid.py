# Segmentation transfer, CamVid 240x180 (367 / 101 / 117 images, 11 classes), UPerNet on
# DeiT-Tiny 192-d, patch 8, pretrained on 64x64 images (selfsup/bootmae_deit-tiny_folder).
#
#   python tools/train.py configs/benchmarks/segmentation/deit-tiny_camvid.py \
#       --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT
#
# From random weights: model.backbone.init_cfg=None
_base_ = [
    '../../_base_/models/upernet_deit-tiny.py',
    '../../_base_/datasets/camvid.py',
    '../../_base_/schedules/finetune_100e.py',
    '../../_base_/default_runtime.py',
]
default_scope = 'mmseg'
custom_imports = dict(
    imports=['bootmae_plugin', 'mmseg.models', 'mmseg.datasets', 'mmseg.visualization']
)
model = dict(decode_head=dict(ignore_index=11), auxiliary_head=dict(ignore_index=11))
optim_wrapper = dict(
    optimizer=dict(lr=4e-4),
    constructor='mmpretrain.LayerDecayConstructor',
    paramwise_cfg=dict(layer_decay_rate=0.65),
)
param_scheduler = dict(type='mmpretrain.WarmupCosineLR')
default_hooks = dict(visualization=dict(_delete_=True, type='SegVisualizationHook'))
visualizer = dict(type='SegLocalVisualizer')
auto_scale_lr = dict(base_batch_size=8)
