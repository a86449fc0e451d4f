# Inherits parts by scope, with a standard data pipeline and its collate function.
_base_ = [
    'bootmae_plugin::_base_/models/bootmae_deit-tiny.py',
    'bootmae_plugin::_base_/datasets/folder_pipeline_selfsup.py',
    'bootmae_plugin::_base_/schedules/pretrain_200e.py',
    'bootmae_plugin::_base_/default_runtime.py',
]
custom_imports = dict(imports=['otherteam.modules'])
model = dict(
    backbone=dict(
        img_size=64,
        patch_size=8,
        arch=dict(_delete_=True, embed_dims=24, num_layers=2, num_heads=2),
    ),
    masking=dict(type='ColumnMasking'),
    neck=dict(embed_dims=24, depth=1, num_heads=2),
    target_generator=dict(type='MeanColour'),
)
train_dataloader = dict(
    batch_size=4,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(data_root='images'),
)
train_cfg = dict(max_epochs=2)
default_hooks = dict(bootstrap=dict(type='BootstrapHook', num_stages=2))
