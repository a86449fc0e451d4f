# U-MAE (Zhang et al. 2022, arXiv 2210.08344): pixels, and a term that pushes the pooled tokens
# of different images apart. 48-d encoder, CIFAR-10, 200 epochs. One-stage opponent of
# bootmae-views_deit-tiny-d48_cifar10.py, with its optimizer.
#
#   bash tools/dist_train.sh configs/selfsup/umae_deit-tiny-d48_cifar10.py 8
#
# Cost: 0.13 GFLOP per image (tools/cost.py).
# Result: not trained at this length by this project.
_base_ = 'bootmae-views_deit-tiny-d48_cifar10.py'

model = dict(
    head=dict(view=dict(_delete_=True, type='UniformityHead', loss_weight=0.01)),
    target_generator=None,
)
data_preprocessor = dict(views=1, color=None)
default_hooks = dict(bootstrap=dict(num_stages=1))
find_unused_parameters = False
