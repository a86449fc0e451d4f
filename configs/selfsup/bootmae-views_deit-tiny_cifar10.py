# Bootstrapped MAE with view stages of the distilled DeiT-Tiny (192-d, patch 4) on CIFAR-10, 200
# epochs in 4 stages of 50. Stage 1 predicts pixels. In each later stage the student also
# predicts, from a masked view, the pooled and whitened feature that the frozen encoder of the
# stage before gives for another crop of the image.
#
#   bash tools/dist_train.sh configs/selfsup/bootmae-views_deit-tiny_cifar10.py 8
#
# Cost: 0.92 GFLOP per image in stage 1, 1.66 in stages 2 to 4 (tools/cost.py).
# Result: not trained at this length by this project. 8 epochs with a batch of 64, colors of both
# views and model.masking.mask_ratio=[0.75,0.5] model.head.pixel.last_stage=1 (1.7 core-hours in
# bfloat16, one seed): linear 66.0 on the mean of the patches, 20-NN 64.2 (CIFAR-10, JPEG copy, 5,000
# test images). The encoder is in weights/large/ of the repository; docs/results.md has more.
#
# One-line overrides (--cfg-options, or in a config that inherits this one):
#   short stage 1      default_hooks.bootstrap.boundaries=[0.1]
#   new student        default_hooks.bootstrap.student=reset
#   pixels in stage 1  model.head.pixel.last_stage=1
#   annealed pixels    model.head.pixel.final_weight=0
#   small later masks  model.masking.mask_ratio=[0.75,0.25] model.head.pixel.last_stage=1
#     the default of the 48-d encoder; here the later stages take 1.4 times the FLOPs
#   branch weight      model.head.view.loss_weight=0.5
#   predictor          model.head.view.hidden_layers=2 model.head.view.hidden_channels=512
#   class token        model.neck.view.pool=cls      (dist: the distillation token)
#   moving average     model.target_generator.type=EMAEncoder default_hooks.bootstrap.num_stages=2
#     of the encoder   default_hooks.bootstrap.boundaries=[0.25]   (pixels alone before)
#                      model.target_generator.base_batch_size=64   (the decay follows the batch)
#   second view        data_preprocessor.nested=True   (cut out of the first view)
#     its own crop     data_preprocessor.second_view.type=BatchRandomResizedCrop
#                      data_preprocessor.second_view.size=32
#                      data_preprocessor.second_view.scale=[0.3,1]
#                      data_preprocessor.second_view.interpolation=bilinear
#   larger crops later data_preprocessor.augment.scale=[[0.2,1],[0.6,1]]   (stage 1, stages 2 to 4)
#     for both views, unless the second view has its own crop
#   colors             data_preprocessor.color.type=BatchColorJitter
#                      data_preprocessor.color_views=[1]   (of the second view alone)
_base_ = [
    '../_base_/models/bootmae-views_deit-tiny.py',
    '../_base_/datasets/cifar10_selfsup.py',
    '../_base_/schedules/pretrain-muon_200e.py',
    '../_base_/default_runtime.py',
]
model = dict(backbone=dict(img_size={{_base_.img_size}}))
data_preprocessor = dict(views=2)
default_hooks = dict(bootstrap=dict(type='BootstrapHook', num_stages=4))
