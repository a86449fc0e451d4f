"""The work dir: its owner, its lock, its newest checkpoint."""

import multiprocessing
import os
import signal
import time

import pytest
import torch

from bootmae_plugin import UserError
from bootmae_plugin.checkpoints.run_config import read_config
from bootmae_plugin.reliability.work_dir import (
    lock_work_dir,
    read_newest_checkpoint,
)
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


def hold(work_dir, connection):
    with lock_work_dir(work_dir):
        worker = os.fork()  # as of a data loader
        if worker:
            connection.send(worker)
        time.sleep(600)


def test_a_work_dir_is_held_by_one_run_until_it_ends(tmp_path):
    pytest.importorskip('fcntl')
    fork = multiprocessing.get_context('fork')
    receiving, sending = fork.Pipe(duplex=False)
    holder = fork.Process(target=hold, args=(tmp_path, sending))
    holder.start()
    sending.close()
    worker = None
    try:
        worker = receiving.recv()
        who = f'another run uses .*process {holder.pid} on'
        with pytest.raises(UserError, match=who):
            train(tmp_path)
        assert not [*tmp_path.glob('*.pth')]
        holder.kill()
        holder.join()
        # The worker lives on, and does not hold it.
        os.kill(worker, 0)
        (tmp_path / '.epoch_1.pth.partial').write_text('half of a checkpoint')
        with lock_work_dir(tmp_path):
            assert not [*tmp_path.glob('*.partial')]
    finally:
        holder.kill()
        if worker is not None:
            os.kill(worker, signal.SIGKILL)


def newest(work_dir):
    return read_newest_checkpoint(work_dir)[0]


def test_a_moved_work_dir_resumes_and_a_broken_checkpoint_stays(tmp_path):
    work_dir = train(tmp_path / 'run', stop=3)
    assert (work_dir / 'last_checkpoint').read_text() == 'epoch_3.pth'
    assert not (work_dir / 'epoch_1.pth').exists()  # two are kept
    moved = work_dir.rename(tmp_path / 'moved')
    broken = (moved / 'epoch_3.pth').read_bytes()[:-1000]
    (moved / 'epoch_3.pth').write_bytes(broken)
    assert newest(moved) == moved / 'epoch_2.pth'
    log = '\n'.join(path.read_text() for path in moved.glob('*/*.log'))
    assert 'not resumed from: checkpoint' in log
    assert (moved / 'epoch_3.pth').read_bytes() == broken
    (moved / 'last_checkpoint').unlink()
    (moved / 'epoch_3.pth').unlink()
    assert newest(moved) == moved / 'epoch_2.pth'
    (moved / 'epoch_2.pth').write_bytes(b'')
    assert newest(moved) == moved / 'stage_1.pth'
    (moved / 'stage_1.pth').write_bytes(b'')
    with pytest.raises(UserError, match='none of the 2 checkpoints'):
        read_newest_checkpoint(moved)
    assert read_newest_checkpoint(tmp_path) is None


def save_tiny(path, iteration):
    path.parent.mkdir(exist_ok=True)
    torch.save(dict(meta=dict(iter=iteration), state_dict={}), path)


def test_the_newest_is_the_one_that_went_furthest(tmp_path):
    for name, iteration in dict(epoch_2=8, epoch_10=40, stage_3=48, iter_9=9).items():
        save_tiny(tmp_path / f'{name}.pth', iteration)
    save_tiny(tmp_path / 'best_a_epoch_50.pth', 200)  # without the optimizer
    assert newest(tmp_path).name == 'stage_3.pth'
    (tmp_path / 'last_checkpoint').write_text('epoch_10.pth')
    assert newest(tmp_path).name == 'epoch_10.pth'
    (tmp_path / 'epoch_10.pth').write_bytes(b'broken')
    assert newest(tmp_path).name == 'stage_3.pth'
    (tmp_path / 'stage_3.pth').write_bytes(b'broken')
    assert newest(tmp_path).name == 'iter_9.pth'
    # A bare name is of the work dir, wherever the program runs.
    (tmp_path / 'run').mkdir()
    (tmp_path / 'run/last_checkpoint').write_text('iter_9.pth')
    with pytest.raises(UserError, match='none of the 1 checkpoints'):
        read_newest_checkpoint(tmp_path / 'run')


def test_checkpoints_in_another_folder_are_found(tmp_path):
    """``default_hooks.checkpoint.out_dir``: last_checkpoint has the whole path."""
    for number in (1, 2):
        save_tiny(tmp_path / f'out/epoch_{number}.pth', number)
    (tmp_path / 'run').mkdir()
    last = tmp_path / 'run/last_checkpoint'
    last.write_text(str(tmp_path / 'out/epoch_2.pth'))
    assert newest(tmp_path / 'run') == tmp_path / 'out/epoch_2.pth'
    (tmp_path / 'out/epoch_2.pth').write_bytes(b'broken')
    assert newest(tmp_path / 'run') == tmp_path / 'out/epoch_1.pth'
