"""What runs in a process of its own: a training step, or a matrix product."""

import logging
from collections.abc import Callable
from functools import partial

import torch
from mmengine.registry import init_default_scope
from torch import Tensor, nn

from bootmae_plugin.engine.autocast import has_bf16
from bootmae_plugin.engine.memory import keep_freed_memory

from .counters import measure_kernel_shares, measure_peak_memory
from .peers import PEERS, SHAPES, Loss, Shape
from .timing import measure_seconds


class LossModule(nn.Module):
    """A loss as ``forward``, which DistributedDataParallel hooks into."""

    def __init__(self, model: nn.Module, loss: Loss) -> None:
        super().__init__()
        self.model, self.loss = model, loss

    def forward(self, images: Tensor) -> Tensor:
        return self.loss(images)


def make_step(
    name: str,
    shape: Shape,
    device: str = 'cpu',
    bf16: bool | None = None,
    compile: bool = False,
    parallel: bool = False,
    **options,
) -> Callable[[Tensor], None]:
    """Build a whole training step on a batch of images: forward, backward, AdamW.

    The optimizer is torch's AdamW with its defaults; for this plugin it is fused, as in
    our configs.

    Args:
        name: Key of ``PEERS``.
        shape: The architecture.
        device: 'cpu' or 'cuda'.
        bf16: Autocast in bfloat16. Default: where the device calculates in it.
        compile: Compile this plugin's blocks, or the loss of a peer.
        parallel: Average the gradients over the processes.
        **options: Further arguments of the peer's function.
    """
    if name == 'ours' and device == 'cpu':
        keep_freed_memory()  # as the runner does
    if bf16 is None:
        bf16 = has_bf16(device)
    model, loss = PEERS[name](shape, **options)
    model.to(device).train()
    if compile and name == 'ours':
        from bootmae_plugin.models.layers import BLOCKS

        for module in model.modules():
            if isinstance(module, BLOCKS):
                module.compile(dynamic=False)
    elif compile:
        loss = torch.compile(loss)
    if parallel:
        loss = nn.parallel.DistributedDataParallel(LossModule(model, loss))
    trained = [p for p in model.parameters() if p.requires_grad]
    fused = dict(fused=True) if name == 'ours' else {}
    optimizer = torch.optim.AdamW(trained, lr=1e-4, betas=(0.9, 0.95), **fused)

    def step(images: Tensor) -> None:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device, torch.bfloat16, enabled=bf16):
            value = loss(images)
        value.backward()
        optimizer.step()

    return step


class TrainingStep:
    """A training step and its batches of noise.

    Args:
        shape: Key of ``SHAPES``.
        device: 'cpu' or 'cuda'.
        threads: Threads of torch.
        setup: Further arguments of :func:`make_step`.
    """

    def __init__(self, shape: str, device: str, threads: int, setup: dict) -> None:
        logging.disable(logging.WARNING)  # mmengine logs every initialized weight
        torch.set_num_threads(threads)
        init_default_scope('mmpretrain')
        self.shape, self.device = SHAPES[shape], device
        self.step = make_step(shape=self.shape, device=device, **setup)
        self.batches = {}

    def __call__(self, size: int, steps: int = 1, what: str = 'seconds'):
        """Run steps on ``size`` images.

        Returns:
            'seconds': of one step; 'memory': the peak in MiB; 'kernels': the share of
            the time that each kind takes.
        """
        if size not in self.batches:
            side = self.shape.image
            self.batches[size] = torch.randn(size, 3, side, side, device=self.device)
        batch = self.batches[size]

        def work() -> None:
            for _ in range(steps):
                self.step(batch)

        if what == 'memory':
            return measure_peak_memory(work, self.device)
        if what == 'kernels':
            return measure_kernel_shares(work, self.device)
        return measure_seconds(work, self.device) / steps


class MatrixProduct:
    """A square matrix product, of the size at which this device is fastest.

    Args:
        dtype: Name of torch's dtype.
        device: 'cpu' or 'cuda'.
        threads: Threads of torch.
    """

    SIZES = dict(cpu=(128, 256, 512, 1024, 2048), cuda=(2048, 4096, 8192))

    def __init__(self, dtype: str, device: str, threads: int) -> None:
        torch.set_num_threads(threads)
        self.device, self.products = device, {}
        for size in self.SIZES[device]:
            shape = (2, size, size)
            a, b = torch.randn(shape, device=device).to(getattr(torch, dtype))
            self.products[size] = partial(torch.mm, a, b, out=torch.empty_like(a))
            self._seconds_of_a_gflop(size)
            if measure_seconds(self.products[size], device) > 0.3:
                break  # larger ones would take seconds, in a type that is emulated
        self.size = min(self.products, key=self._seconds_of_a_gflop)

    def _seconds_of_a_gflop(self, size: int) -> float:
        taken = min(measure_seconds(self.products[size], self.device) for _ in range(3))
        return taken * 1e9 / (2 * size**3)

    def __call__(self) -> float:
        """Return the seconds that 10^9 FLOPs take, the best of three products."""
        return self._seconds_of_a_gflop(self.size)
