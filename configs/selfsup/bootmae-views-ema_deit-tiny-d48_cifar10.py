# View stages by a moving average, 48-d encoder of the DeiT-Tiny / CIFAR-10 report: after a quarter
# of the epochs, which predict pixels, one stage whose teacher is a moving average of the encoder
# instead of the frozen encoder of the stage before. Everything else is that of the stages.
#
#   bash tools/dist_train.sh configs/selfsup/bootmae-views-ema_deit-tiny-d48_cifar10.py 8
#
# The decay is that of a step of 64 images, over all processes, and follows the batch: with 8 times
# 64 it is .999 ** 8, which averages over as many images. Larger crops for the student gave 2 points
# more of 20-NN in 8 epochs, one seed (docs/results.md, A moving average as teacher):
#   data_preprocessor.augment.scale=[[0.2,1],[0.6,1]] data_preprocessor.second_view.scale=[0.2,1]
#   data_preprocessor.second_view.type=BatchRandomResizedCrop data_preprocessor.second_view.size=32
#
# Cost: 0.13 GFLOP per image in stage 1, 0.17 in stage 2 (tools/cost.py).
# Result: not trained at this length by this project. 16 epochs with a batch of 64 (1.8 core-hours
# in float32, two seeds, 2026-11-30, 5,000 held-out training images): linear 61.3 on the mean of
# the patches and 69.2 on all of them, 20-NN 66.0 and 67.0. Three stages have 59.8 and 69.0, 64.1
# and 66.2 (docs/results.md, Small batches and view stages).
_base_ = 'bootmae-views_deit-tiny-d48_cifar10.py'

model = dict(target_generator=dict(type='EMAEncoder', decay=0.999, base_batch_size=64))
default_hooks = dict(bootstrap=dict(num_stages=2, boundaries=[0.25]))
