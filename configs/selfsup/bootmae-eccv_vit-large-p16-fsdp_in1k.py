# bootmae-eccv_vit-large-p16_in1k.py with sharded weights and recomputed activations (FSDP).
# Each GPU keeps its share of weights, gradients and optimizer state. Recomputing costs a
# third more FLOPs per step. The two entries below work in any pretraining config.
#
#   bash tools/dist_train.sh configs/selfsup/bootmae-eccv_vit-large-p16-fsdp_in1k.py 8
#
# Cost: memory and network traffic are estimated in docs/scaling.md.
# Result: not trained by this project. On a tiny encoder, sharded training equals unsharded
# training (tests/reliability/test_sharded.py).
_base_ = 'bootmae-eccv_vit-large-p16_in1k.py'

runner_type = 'mmpretrain.ShardedRunner'
strategy = dict(type='BlockFSDPStrategy', recompute=True)
