"""Shared fixtures; the folder ``../shared`` (golden files, data) is optional."""

import os
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get('BOOTMAE_SHARED', ROOT.parent / 'shared'))
GOLDEN = Path(os.environ.get('GOLDEN_DIR', SHARED / 'golden'))


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture
def root() -> Path:
    return ROOT


def golden_files(pattern: str) -> list:
    """Golden files as pytest params, or one skipped param that says why."""
    files = sorted(GOLDEN.glob(pattern))
    if files:
        return [pytest.param(path, id=path.name) for path in files]
    reason = f'no {pattern} in {GOLDEN} (set GOLDEN_DIR)'
    return [pytest.param(None, marks=pytest.mark.skip(reason=reason), id=pattern)]
