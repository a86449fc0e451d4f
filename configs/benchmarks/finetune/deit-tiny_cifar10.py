# Full finetuning, 100 epochs: mean of the patch tokens, layer-wise decay, mixup and
# cutmix in turns, label smoothing, drop path; CIFAR-10.
#
#   python tools/train.py configs/benchmarks/finetune/deit-tiny_cifar10.py --cfg-options \
#       model.backbone.init_cfg.checkpoint=work_dirs/bootmae_deit-tiny_cifar10/epoch_200.pth
#
# From random weights: deit-tiny_cifar10_random.py
# Only the last blocks: ../partial/deit-tiny_cifar10.py
#
# --cfg-options, each by itself:
#   layer decay           optim_wrapper.paramwise_cfg.layer_decay_rate=0.65 (1.0: none)
#   mixup or cutmix only  data_preprocessor.batch_augments.probs="[1.0,0.0]" ("[0.0,1.0]")
#   neither of them       data_preprocessor.batch_augments=None
#   label smoothing       model.head.loss.label_smooth_val=0.0
#   drop path             model.backbone.drop_path_rate=0.0
#   average of weights    default_hooks.ema.type=EMAHook default_hooks.ema.momentum=1e-3
#                         (validated and saved are the averaged ones; test.py needs nothing)
#   distilled head        model.backbone.out_type=distilled model.head.type=DeiTClsHead
#   class token           model.backbone.out_type=cls
_base_ = [
    '../../_base_/models/finetune_deit-tiny.py',
    '../../_base_/datasets/cifar10_classify.py',
    '../../_base_/schedules/finetune_100e.py',
    '../../_base_/default_runtime.py',
]
data_preprocessor = dict(
    batch_augments=dict(
        augments=[dict(type='Mixup', alpha=0.8), dict(type='CutMix', alpha=1.0)]
    )
)
