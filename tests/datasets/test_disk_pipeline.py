"""The disk configs train as they ship; only the folder is given."""

import json

import pytest
from PIL import Image

from tests.tiny import ROOT, run_tool


@pytest.mark.parametrize('method', ['bootmae', 'bootmae-views'])
def test_disk_config_trains(method, tmp_path):
    photos, work_dir = tmp_path / 'photos', tmp_path / 'work'
    for i in range(6):
        path = photos / f'{i % 2}' / f'{i}.jpg'
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.effect_noise((80 + i, 70), 50).convert('RGB').save(path)
    run_tool(
        'train.py', ROOT / f'configs/selfsup/{method}_deit-tiny_folder-disk.py',
        '--work-dir', work_dir, '--cfg-options', f'data_root={photos}',
        # Four epochs, one per stage, of one iteration.
        'train_cfg.max_epochs=4', 'train_dataloader.batch_size=6', 'img_size=32',
        'default_hooks.logger.interval=1',
    )  # fmt: skip
    assert (work_dir / 'epoch_4.pth').is_file()
    (log,) = work_dir.glob('*/vis_data/scalars.json')
    steps = [json.loads(line) for line in log.read_text().splitlines()]
    assert [step['step'] for step in steps] == [1, 2, 3, 4]
    assert all(0 < step['loss'] < 10 for step in steps)
