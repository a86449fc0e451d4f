# AdamW with 10 % warm-up, then cosine; the schedule always spans max_epochs.
optim_wrapper = dict(
    type='Bf16OptimWrapper',  # bfloat16 autocast; OptimWrapper: float32
    constructor='MergedGroupsConstructor',
    optimizer=dict(
        type='AdamW', lr=1e-3, betas=(0.9, 0.95), weight_decay=0.05, fused=True
    ),
    paramwise_cfg=dict(
        norm_decay_mult=0.0,
        bias_decay_mult=0.0,
        custom_keys={
            'cls_token': dict(decay_mult=0.0),
            'dist_token': dict(decay_mult=0.0),
            'mask_token': dict(decay_mult=0.0),
            'pos_embed': dict(decay_mult=0.0),
        },
    ),
)
param_scheduler = dict(type='WarmupCosineLR', warmup=0.1, convert_to_iter_based=True)
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=200)

# The learning rate above is for a total batch of 512. It is scaled to the actual batch.
auto_scale_lr = dict(base_batch_size=512, enable=True)
