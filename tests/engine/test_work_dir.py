"""A work dir: the user's files stay, and its config is data, not code."""

import pytest

from bootmae_plugin import UserError
from bootmae_plugin.engine.work_dir import read_dump
from tests.resuming import train
from tests.tiny import ROOT, tiny_config


def test_a_config_within_its_work_dir_stays_as_it_is(tmp_path):
    work_dir = tmp_path / 'run'
    work_dir.mkdir()
    path = work_dir / 'mine.py'
    text = f'_base_ = {str(ROOT / "configs/selfsup/bootmae_deit-tiny_digits.py")!r}\n'
    path.write_text(text)
    for resume in (False, True):
        cfg = tiny_config(work_dir, epochs=1, stages=1)
        cfg._filename = str(path)
        train(work_dir, resume=resume, cfg=cfg)
        assert path.read_text() == text


def test_the_config_of_a_work_dir_is_read_not_run(tmp_path):
    work_dir = train(tmp_path / 'run', stop=1)
    (kept,) = work_dir.glob('*.py')
    cfg = tiny_config(work_dir)
    assert read_dump(kept)['model'] == cfg.model.to_dict()
    assert read_dump(kept)['train_cfg']['max_epochs'] == 4
    kept.write_text(f'import os\nos.mkdir({str(tmp_path / "trap")!r})\n')
    with pytest.raises(UserError, match='not a config as a run writes it'):
        train(work_dir, resume=True)
    assert not (tmp_path / 'trap').exists()
    kept.write_text("a = dict(b=[1, (2.5, None)], c={'d': nan})\n")
    read = read_dump(kept)
    assert read['a']['b'] == [1, (2.5, None)] and read['a']['c']['d'] != 0
