"""Compilation of the transformer blocks."""

from mmengine.logging import print_log
from torch import nn

from ..models.layers import BLOCKS


def compile_blocks(model: nn.Module, options: dict | bool | None) -> int:
    """Compile the transformer blocks; return their number.

    They do nearly all of the work and are alike, so one compilation serves them all. A
    new stage adds the teacher's.

    Args:
        model: Any model. Nothing is compiled in one without our blocks.
        options: Options of ``torch.compile``. True: ``dynamic=False``. False or None:
            nothing is compiled.
    """
    blocks = [m for m in model.modules() if isinstance(m, BLOCKS)] if options else []
    options = dict(dynamic=False) if options is True else dict(options or {})
    for block in blocks:
        block.compile(**options)
    if blocks:
        print_log(f'{len(blocks)} transformer blocks will be compiled', 'current')
    return len(blocks)
