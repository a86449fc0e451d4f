"""Runs of one process."""

import time

from mmpretrain.registry import RUNNERS

from tests.tiny import tiny_config


def test_runs_of_the_same_second_share_nothing(tmp_path, monkeypatch, capsys):
    """mmengine's second run would be in the default scope and the log of the first."""
    now = time.time()
    monkeypatch.setattr(time, 'time', lambda: now)
    runs, printed = [], []
    for name in ('a', 'b'):
        cfg = tiny_config(tmp_path / name)
        assert cfg.default_scope == 'mmpretrain'
        runs.append(RUNNERS.build(cfg))
        runs[-1].logger.warning(f'from {name}')
        printed.append(capsys.readouterr().out)
    first, second = runs
    assert 'from a' in printed[0] and 'from b' in printed[1]
    for part in ('default_scope', 'logger', 'message_hub', 'visualizer', 'log_dir'):
        assert getattr(first, part) is not getattr(second, part), part
    (log,) = (tmp_path / 'b').glob('*/*.log')
    assert 'from b' in log.read_text() and 'from a' not in log.read_text()
