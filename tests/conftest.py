"""Fixtures of all tests. The folder ``../shared`` (golden files, data) is optional."""

import gc
import os
from pathlib import Path

import pytest
import torch
from mmengine.registry import init_default_scope
from yapf.yapflib import yapf_api

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get('BOOTMAE_SHARED', ROOT.parent / 'shared'))
GOLDEN = Path(os.environ.get('GOLDEN_DIR', SHARED / 'golden'))


@pytest.fixture(autouse=True, scope='session')
def _quick_runs():
    """Leave out what costs a tiny run more than its training does.

    The text of a config is not laid out by yapf (.1 to 2 s), and mmengine's
    ``gc.collect()`` for each data set does not visit the modules (.4 s). Runs in
    processes of their own leave nothing out.
    """
    gc.collect()
    gc.freeze()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yapf_api, 'FormatCode', lambda text, **options: (text, True))
        yield


@pytest.fixture(autouse=True)
def _seed_and_scope():
    torch.manual_seed(0)
    init_default_scope('mmpretrain')  # a runner takes it from default_runtime.py


# A minute or more each. Started last, one would run while the other process idles.
LONG = {
    'test_distributed',
    'test_export',
    'test_inheritance',
    'test_signals',
    'test_torture',
}


def pytest_collection_modifyitems(items: list) -> None:
    items.sort(key=lambda item: item.path.stem not in LONG)


def golden_files(pattern: str) -> list:
    """Return golden files as pytest params, or one skipped param with the reason."""
    files = sorted(GOLDEN.glob(pattern))
    if files:
        return [pytest.param(path, id=path.name) for path in files]
    reason = f'no {pattern} in {GOLDEN} (set GOLDEN_DIR)'
    return [pytest.param(None, marks=pytest.mark.skip(reason=reason), id=pattern)]
