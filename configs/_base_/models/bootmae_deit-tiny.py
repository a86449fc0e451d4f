# Bootstrapped MAE (MAE-K): stage 1 predicts pixels, each later stage the features of the
# frozen encoder of the stage before. A config that inherits this adds the hook that starts the
# stages:
#   default_hooks = dict(bootstrap=dict(type='BootstrapHook', num_stages=4))
_base_ = 'mae_deit-tiny.py'

model = dict(
    head=dict(
        pixel=dict(last_stage=1),
        feature=dict(type='FeatureHead', target_norm='position', first_stage=2),
    ),
    target_generator=dict(type='StageEncoder'),
)
find_unused_parameters = True  # each stage trains one branch only
