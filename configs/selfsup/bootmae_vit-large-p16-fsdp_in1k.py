# bootmae_vit-large-p16_in1k with sharded weights (FSDP) and activation checkpointing: as
# much optimiser and weights on a GPU as 8 leave to each, for a third more computation.
# Any pretraining config takes these two entries. Not trained here; the same on a tiny
# encoder equals the unsharded run (tests/engine/test_sharded.py).
#
#   bash tools/dist_train.sh configs/selfsup/bootmae_vit-large-p16-fsdp_in1k.py 8
_base_ = 'bootmae_vit-large-p16_in1k.py'

runner_type = 'mmpretrain.ShardedRunner'
strategy = dict(type='BlockFSDPStrategy', recompute=True)
