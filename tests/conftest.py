"""Fixtures of all tests. The folder ``../shared`` (golden files, data) is optional."""

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
def _cached_yapf():
    """Let yapf format each config once: every checkpoint of a run formats it again."""
    original, texts = yapf_api.FormatCode, {}

    def cached(text, **options):
        if text not in texts:
            texts[text] = original(text, **options)
        return texts[text]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yapf_api, 'FormatCode', cached)
        yield


@pytest.fixture(autouse=True)
def _seed_and_scope():
    torch.manual_seed(0)
    init_default_scope('mmpretrain')  # a runner takes it from default_runtime.py


def golden_files(pattern: str) -> list:
    """Return golden files as pytest params, or one skipped param with the reason."""
    files = sorted(GOLDEN.glob(pattern))
    if files:
        return [pytest.param(path, id=path.name) for path in files]
    reason = f'no {pattern} in {GOLDEN} (set GOLDEN_DIR)'
    return [pytest.param(None, marks=pytest.mark.skip(reason=reason), id=pattern)]
