# Partial finetuning, Fashion-MNIST: the last n of 12 blocks, final norm and
# head are trained, n = 1 here; all before them stays as it was pretrained. The recipe and
# its switches are those of ../finetune/deit-tiny_fashion-mnist.py.
#
#   python tools/train.py configs/benchmarks/partial/deit-tiny_fashion-mnist.py --cfg-options \
#       model.backbone.init_cfg.checkpoint=work_dirs/bootmae_deit-tiny_fashion-mnist/epoch_200.pth
#
#   n                               0   1   2   4   6   12
#   model.backbone.frozen_stages=  12  11  10   8   6   -1
#
# n = 0 trains the head alone, on frozen features; n = 12 is full finetuning (0 instead of
# -1 would leave the patch embedding and the extra tokens frozen).
# From random weights: deit-tiny_fashion-mnist_random.py
_base_ = '../finetune/deit-tiny_fashion-mnist.py'

model = dict(backbone=dict(frozen_stages=11))
