# AdamW on the whole network with layer-wise learning-rate decay, warm-up and cosine. The
# learning rate is for a total batch of 512 and is scaled to the actual batch.
optim_wrapper = dict(
    type='Bf16OptimWrapper',
    optimizer=dict(
        type='AdamW', lr=1e-3, betas=(0.9, 0.999), weight_decay=0.05, fused=True
    ),
    constructor='LayerDecayConstructor',
    paramwise_cfg=dict(
        layer_decay_rate=0.75,
        norm_decay_mult=0.0,
        bias_decay_mult=0.0,
        custom_keys={
            'cls_token': dict(decay_mult=0.0),
            'dist_token': dict(decay_mult=0.0),
            'pos_embed': dict(decay_mult=0.0),
        },
    ),
)
param_scheduler = dict(type='WarmupCosineLR', warmup=0.05, convert_to_iter_based=True)
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=100, val_interval=10)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=512, enable=True)
