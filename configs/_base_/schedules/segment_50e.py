# Segmentation with a small encoder: AdamW with layer-wise learning-rate decay, warm-up and
# cosine. The learning rate is for batch 8 and is scaled to the actual batch.
optim_wrapper = dict(
    type='mmpretrain.Bf16OptimWrapper',
    optimizer=dict(
        type='AdamW', lr=1.5e-3, betas=(0.9, 0.999), weight_decay=0.05, fused=True
    ),
    constructor='mmpretrain.LayerDecayConstructor',
    paramwise_cfg=dict(
        layer_decay_rate=0.9,
        norm_decay_mult=0.0,
        bias_decay_mult=0.0,
        custom_keys={
            'cls_token': dict(decay_mult=0.0),
            'dist_token': dict(decay_mult=0.0),
            'pos_embed': dict(decay_mult=0.0),
        },
    ),
)
param_scheduler = dict(
    type='mmpretrain.WarmupCosineLR', warmup=0.05, convert_to_iter_based=True
)
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=50, val_interval=10)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=8, enable=True)
