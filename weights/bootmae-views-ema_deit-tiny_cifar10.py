auto_scale_lr = dict(base_batch_size=256, enable=True, rule='sqrt')
custom_imports = dict(
    allow_failed_imports=False, imports=[
        'bootmae_plugin',
    ])
data_preprocessor = dict(
    augment=dict(
        scale=[
            (
                0.2,
                1.0,
            ),
            (
                0.6,
                1.0,
            ),
        ],
        size=32,
        type='BatchRandomResizedCrop'),
    color=dict(type='BatchColorJitter'),
    mean=[
        125.307,
        122.961,
        113.8575,
    ],
    second_view=dict(
        scale=(
            0.2,
            1.0,
        ), size=32, type='BatchRandomResizedCrop'),
    std=[
        51.5865,
        50.847,
        51.255,
    ],
    type='BatchDataPreprocessor',
    views=2)
data_root = 'data/cifar10'
default_hooks = dict(
    bootstrap=dict(boundaries=[
        0.25,
    ], num_stages=2, type='BootstrapHook'),
    checkpoint=dict(
        interval=1, max_keep_ckpts=2, type='mmpretrain.SafeCheckpointHook'),
    finite=dict(action='stop', type='mmpretrain.FiniteHook'),
    logger=dict(interval=50, type='LoggerHook'),
    param_scheduler=dict(type='ParamSchedulerHook'),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    timer=dict(type='IterTimerHook'),
    visualization=dict(enable=False, type='VisualizationHook'))
default_scope = 'mmpretrain'
env_cfg = dict(
    cudnn_benchmark=False,
    dist_cfg=dict(backend='nccl'),
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0))
find_unused_parameters = True
img_size = 32
log_level = 'INFO'
model = dict(
    backbone=dict(
        arch='deit-tiny', img_size=32, patch_size=4, type='MaskedDeiT'),
    head=dict(
        pixel=dict(last_stage=1, norm_pix=True, type='PixelHead'),
        view=dict(first_stage=2, type='ViewHead')),
    masking=dict(mask_ratio=[
        0.75,
        0.5,
    ], type='RandomMasking'),
    neck=dict(
        pixel=dict(depth=2, embed_dims=192, num_heads=3, type='MAEDecoder'),
        view=dict(type='PooledTokens')),
    target_generator=dict(base_batch_size=64, decay=0.999, type='EMAEncoder'),
    type='BootMAE')
optim_wrapper = dict(
    constructor='MuonConstructor',
    optimizer=dict(
        betas=(
            0.9,
            0.95,
        ),
        lr=0.0075,
        type='timm.optim.Muon',
        weight_decay=0.05),
    paramwise_cfg=dict(
        bias_decay_mult=0.0,
        custom_keys=dict(
            cls_token=dict(decay_mult=0.0),
            dist_token=dict(decay_mult=0.0),
            mask_token=dict(decay_mult=0.0),
            pos_embed=dict(decay_mult=0.0)),
        norm_decay_mult=0.0),
    type='Bf16OptimWrapper')
param_scheduler = dict(
    convert_to_iter_based=True, type='WarmupCosineLR', warmup=0.1)
randomness = dict(diff_rank_seed=True, seed=0)
runner_type = 'mmpretrain.PluginRunner'
test_dataloader = dict(
    dataset=dict(
        img_size=32,
        pipeline=[
            dict(size=32, type='CoverCrop'),
            dict(type='PackInputs'),
        ],
        type='InMemoryImages'))
train_cfg = dict(max_epochs=7, type='EpochBasedTrainLoop')
train_dataloader = dict(
    batch_size=64,
    collate_fn=dict(type='whole_batch'),
    dataset=dict(
        img_size=32,
        source=dict(
            data_root='data/cifar10', split='train', type='CIFAR10Copy'),
        type='InMemoryImages',
        with_label=False),
    drop_last=True,
    num_workers=0,
    persistent_workers=False,
    pin_memory=False,
    sampler=dict(shuffle=True, type='DefaultSampler'))
visualizer = dict(
    type='UniversalVisualizer',
    vis_backends=[
        dict(type='LocalVisBackend'),
        dict(type='TensorboardVisBackend'),
    ])
