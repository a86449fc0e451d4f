# Inherits by scope: works with bootmae_plugin's tools.
_base_ = 'bootmae_plugin::selfsup/bootmae_deit-tiny_cifar10.py'
model = dict(
    backbone=dict(arch=dict(_delete_=True, embed_dims=24, num_layers=2, num_heads=2)),
    neck=dict(embed_dims=24, depth=1, num_heads=2),
)
train_dataloader = dict(
    batch_size=4,
    dataset=dict(
        source=dict(
            _delete_=True, type='ImageFolder', data_root='images', with_label=False
        )
    ),
)
train_cfg = dict(max_epochs=2)
default_hooks = dict(bootstrap=dict(num_stages=2))
