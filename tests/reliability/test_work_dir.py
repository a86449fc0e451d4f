"""A work dir: the user's files stay, and its config is data, not code."""

import os
import signal
import subprocess
import sys

import pytest

from bootmae_plugin import UserError
from bootmae_plugin.reliability.work_dir import lock_work_dir, read_config
from tests.reliability.resuming import train
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
    assert read_config(kept)['model'] == cfg.model.to_dict()
    assert read_config(kept)['train_cfg']['max_epochs'] == 4
    kept.write_text(f'import os\nos.mkdir({str(tmp_path / "trap")!r})\n')
    with pytest.raises(UserError, match='is not a config of a run'):
        train(work_dir, resume=True)
    assert not (tmp_path / 'trap').exists()
    kept.write_text("a = dict(b=[1, (2.5, None)], c={'d': nan})\n")
    read = read_config(kept)
    assert read['a']['b'] == [1, (2.5, None)] and read['a']['c']['d'] != 0


HOLD = """
import os
import sys
import time
from pathlib import Path
from bootmae_plugin.reliability.work_dir import lock_work_dir
with lock_work_dir(Path(sys.argv[1])):
    worker = os.fork()  # as of a data loader
    if worker:
        print('held', worker, flush=True)
    time.sleep(600)
"""


def test_a_work_dir_is_held_by_one_run_until_it_ends(tmp_path):
    pytest.importorskip('fcntl')
    holder = subprocess.Popen(
        [sys.executable, '-c', HOLD, str(tmp_path)],
        stdout=subprocess.PIPE, text=True, env=dict(os.environ, PYTHONPATH=str(ROOT)),
    )  # fmt: skip
    worker = None
    try:
        lines = iter(holder.stdout)
        worker = int(next(line for line in lines if 'held' in line).split()[1])
        who = f'another run uses .*process {holder.pid} on'
        with pytest.raises(UserError, match=who):
            train(tmp_path)
        assert not [*tmp_path.glob('*.pth')]
        holder.kill()
        holder.wait()
        # The worker lives on, and does not hold it.
        os.kill(worker, 0)
        (tmp_path / '.epoch_1.pth.partial').write_text('half of a checkpoint')
        with lock_work_dir(tmp_path):
            assert not [*tmp_path.glob('*.partial')]
    finally:
        holder.kill()
        if worker is not None:
            os.kill(worker, signal.SIGKILL)
