"""Memory of a training step on the CPU."""

import ctypes
import os
import platform

import torch

# mallopt's names for its options, of glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3


def keep_freed_memory() -> bool:
    """Let the process keep the memory that a step frees, for the next step.

    glibc gives large blocks back to the system at once, which then hands out and zeroes
    the same pages in every step: 12 to 23 % of a step here (docs/scaling.md). Only on
    Linux with glibc and without a GPU, whose memory torch keeps by itself; settings of
    the user's (``MALLOC_...``, ``GLIBC_TUNABLES``, another allocator) stand.

    Returns:
        Whether the process does so now.
    """
    names = ('MALLOC_', 'GLIBC_TUNABLES', 'LD_PRELOAD')
    if (
        torch.cuda.is_available()
        or platform.libc_ver()[0] != 'glibc'
        or any(name.startswith(names) for name in os.environ)
    ):
        return False
    mallopt = ctypes.CDLL(None).mallopt
    # Both: setting one alone fixes the other at its small start.
    return bool(
        mallopt(M_MMAP_THRESHOLD, 2**30) and mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
    )
