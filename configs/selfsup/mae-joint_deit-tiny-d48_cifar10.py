# MAE with a joint-embedding loss: both views of an image are masked, encoded and reconstructed,
# and their pooled tokens should agree (VICReg; SimCLR; LeJEPA). 48-d encoder, CIFAR-10, 200
# epochs. One-stage opponent of bootmae-views_deit-tiny-d48_cifar10.py, with its optimizer.
#
#   bash tools/dist_train.sh configs/selfsup/mae-joint_deit-tiny-d48_cifar10.py 8
#
# Cost: 0.26 GFLOP per image, for its two views (tools/cost.py).
# Result: not trained at this length by this project.
#
# One-line overrides:
#   loss        model.head.view.loss=simclr model.head.view.loss_weight=0.1   (or lejepa)
#   no colors   data_preprocessor.color=None
#   no pixels   model.head.pixel=None
_base_ = 'bootmae-views_deit-tiny-d48_cifar10.py'

model = dict(
    # The weight brings VICReg's loss to the size of the pixels'.
    head=dict(
        view=dict(_delete_=True, type='JointHead', loss='vicreg', loss_weight=0.02)
    ),
    target_generator=None,
)
default_hooks = dict(bootstrap=dict(num_stages=1))
find_unused_parameters = False
