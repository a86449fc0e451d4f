"""FLOPs of a pretraining step, and how the stages of a run compare in them."""

import torch
from mmpretrain.registry import MODELS
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


def count_flops(model: nn.Module, images: int = 2) -> float:
    """FLOPs of forward and backward per image.

    Args:
        model: A pretraining model.
        images: Size of the batch to count with. Defaults to 2.
    """
    size = model.backbone.geometry.img_size
    channels = model.backbone.geometry.in_channels
    views = max(head.num_views for head in model.head.values())
    batch = [torch.randn(images, channels, *size)] * views
    with FlopCounterMode(display=False) as counter:
        # The counter knows matrix products, not the fused attention of CPUs.
        with sdpa_kernel(SDPBackend.MATH):
            losses = model.loss(batch)
        sum(v for k, v in losses.items() if k.startswith('loss')).backward()
    return counter.get_total_flops() / images


def stage_costs(model: dict, num_stages: int) -> list[float]:
    """Return the FLOPs per image of every stage, counted by one process alone.

    Stages with the same branches and the same masks are counted once. The random state
    does not change.

    Args:
        model: Config of a pretraining model.
        num_stages: Number of stages.
    """
    with torch.random.fork_rng():
        # In training mode the statistics of targets are averaged over the processes.
        built, costs, kinds = MODELS.build(model).eval(), {}, []
        for stage in range(1, num_stages + 1):
            built.start_stage(stage)
            branches = [name for name, _ in built.active_branches()]
            kinds.append((*branches, built.masking.mask_ratio))
            if kinds[-1] not in costs:
                costs[kinds[-1]] = count_flops(built)
    return [costs[kind] for kind in kinds]
