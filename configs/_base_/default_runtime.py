# Hooks, environment and seed. Every config inherits them.
default_scope = 'mmpretrain'
custom_imports = dict(imports=['bootmae_plugin'], allow_failed_imports=False)

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='mmpretrain.SafeCheckpointHook', interval=1, max_keep_ckpts=2),
    finite=dict(type='mmpretrain.FiniteHook', action='stop'),  # or 'skip'
    sampler_seed=dict(type='DistSamplerSeedHook'),
    visualization=dict(type='VisualizationHook', enable=False),
)
env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),  # without a GPU, the tools use gloo
)
visualizer = dict(
    type='UniversalVisualizer',
    vis_backends=[
        dict(type='LocalVisBackend'),  # scalars.json and PNGs, which the report reads
        dict(type='TensorboardVisBackend'),
    ],
)
log_level = 'INFO'
load_from = None
resume = False

# Masks and augmentations are drawn on the device. Without diff_rank_seed, every rank would
# draw the same ones.
randomness = dict(seed=0, diff_rank_seed=True)
