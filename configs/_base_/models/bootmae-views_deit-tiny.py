# View stages: pixels throughout; from stage 2 on also the pooled and whitened feature that the
# frozen encoder of the stage before gives for another view of the image. It needs
#   data_preprocessor = dict(views=2)
#   default_hooks = dict(bootstrap=dict(type='BootstrapHook', num_stages=4))
_base_ = 'mae_deit-tiny.py'

model = dict(
    neck=dict(
        _delete_=True,
        pixel=dict(type='MAEDecoder', embed_dims=192, depth=2, num_heads=3),
        view=dict(type='PooledTokens'),
    ),
    head=dict(view=dict(type='ViewHead', first_stage=2)),
    target_generator=dict(type='StageEncoder'),
)
find_unused_parameters = True  # stage 1 trains one branch only
