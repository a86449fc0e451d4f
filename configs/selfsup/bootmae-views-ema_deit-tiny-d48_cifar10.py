# View stages by a moving average, 48-d encoder of the DeiT-Tiny / CIFAR-10 report: after a quarter
# of the epochs, which predict pixels, one stage whose teacher is a moving average of the encoder
# instead of the frozen encoder of the stage before. In it the student sees crops of .6 to 1 of the
# image, the teacher those of .2 to 1. Everything else is that of the stages.
#
#   bash tools/dist_train.sh configs/selfsup/bootmae-views-ema_deit-tiny-d48_cifar10.py 8
#
# The decay is that of a step of 64 images, over all processes, and follows the batch: with 8 times
# 64 it is .999 ** 8, which averages over as many images.
#
# Cost: 0.13 GFLOP per image in stage 1, 0.17 in stage 2 (tools/cost.py).
# Result: not trained at this length by this project. 8 epochs with a batch of 64 (1 core-hour in
# float32, two seeds, 2026-11-30, 5,000 held-out training images): linear 59.3 on the mean of the
# patches and 68.0 on all of them, 20-NN 64.5 and 66.8. Three stages have 57.7 and 67.0, 61.2 and
# 64.1 (docs/results.md, A moving average as teacher).
_base_ = 'bootmae-views_deit-tiny-d48_cifar10.py'

model = dict(target_generator=dict(type='EMAEncoder', decay=0.999, base_batch_size=64))
default_hooks = dict(bootstrap=dict(num_stages=2, boundaries=[0.25]))
data_preprocessor = dict(
    augment=dict(scale=[(0.2, 1.0), (0.6, 1.0)]),
    second_view=dict(
        type='BatchRandomResizedCrop', size={{_base_.img_size}}, scale=(0.2, 1.0)
    ),
)
