# bootmae_vit-large-p16_in1k with sharded weights and recomputed activations (FSDP): each
# GPU keeps its share of weights, gradients and optimiser, a step computes a third more.
# Any pretraining config takes these two entries. Not trained here; on a tiny encoder the
# training equals the unsharded one (tests/engine/test_sharded.py). Cost: docs/scaling.md.
#
#   bash tools/dist_train.sh configs/selfsup/bootmae_vit-large-p16-fsdp_in1k.py 8
_base_ = 'bootmae_vit-large-p16_in1k.py'

runner_type = 'mmpretrain.ShardedRunner'
strategy = dict(type='BlockFSDPStrategy', recompute=True)
