"""Two gloo processes: identical weights, statistics of both."""

import sys
from glob import glob
from pathlib import Path

import pytest
import torch

from bootmae_plugin.models.heads import PositionNorm
from tests.processes import run_in_two, train_in_two
from tests.tiny import ROOT, run_tool, tiny_config, tiny_options


def test_a_stage_switch_keeps_the_weights_of_two_processes_identical(
    tmp_path, monkeypatch
):
    """30 iterations on the digits; each process writes what it ended with."""
    # A user's hook, so that the second process' weights can be seen at all.
    (tmp_path / 'dump_weights.py').write_text(
        'import torch\n'
        'from mmengine.hooks import Hook\n'
        'from mmengine import dist\n'
        'from mmpretrain.registry import HOOKS\n'
        '@HOOKS.register_module()\n'
        'class DumpWeights(Hook):\n'
        '    def after_run(self, runner):\n'
        '        path = f"{runner.work_dir}/rank_{dist.get_rank()}.pt"\n'
        '        torch.save(runner.model.module.state_dict(), path)\n'
        '    def after_train_iter(self, runner, batch_idx, data_batch=None,'
        ' outputs=None):\n'
        '        if runner.iter == 0:\n'
        '            path = f"{runner.work_dir}/batch_{dist.get_rank()}.pt"\n'
        '            torch.save(data_batch["sample_idx"], path)\n'
        '    def before_train(self, runner):\n'
        '        path = f"{runner.work_dir}/mask_{dist.get_rank()}.pt"\n'
        '        masking = runner.model.module.masking\n'
        '        masking.register_forward_hook('
        'lambda *args: torch.save(tuple(args[-1]), path))\n'
        '        size = f"{runner.work_dir}/size_{dist.get_rank()}.pt"\n'
        '        runner.model.module.target_generator.update = ('
        'lambda student, epoch, max_epochs, batch_size: torch.save(batch_size, size))\n'
    )
    options = [
        *(word for word in tiny_options() if 'indices' not in word),
        'train_dataloader.dataset.source.indices=320',
        'train_cfg.max_epochs=3',  # 10 iterations each
        'default_hooks.bootstrap.num_stages=3',
    ]
    config = tmp_path / 'config.py'
    config.write_text(
        f'_base_ = {str(ROOT / "configs/selfsup/bootmae_deit-tiny_digits.py")!r}\n'
        "custom_imports = dict(imports=['bootmae_plugin', 'dump_weights'])\n"
        "custom_hooks = [dict(type='DumpWeights')]\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, 'dump_weights', raising=False)
    train_in_two(config, '--work-dir', str(tmp_path / 'run'), '--cfg-options', *options)
    first, second = (
        torch.load(tmp_path / f'run/rank_{rank}.pt', weights_only=True)
        for rank in (0, 1)
    )
    assert first.keys() == second.keys()
    assert int(first['stage_number']) == 3
    different = [k for k in first if not torch.equal(first[k], second[k])]
    assert different == []
    masks = [torch.load(tmp_path / f'run/mask_{r}.pt')[0] for r in (0, 1)]
    assert not torch.equal(*masks)  # each rank draws its own
    batches = [torch.load(tmp_path / f'run/batch_{r}.pt') for r in (0, 1)]
    assert not set(batches[0].tolist()) & set(batches[1].tolist())
    sizes = [torch.load(tmp_path / f'run/size_{r}.pt') for r in (0, 1)]
    assert sizes == [32, 32]  # what a moving average follows: 16 of each process


def _position_norm(path, batch):
    torch.distributed.init_process_group('gloo')
    rank = torch.distributed.get_rank()
    norm = PositionNorm(4, 3).train()
    for step in batch:
        norm(step[rank])
    torch.save(norm.state_dict(), f'{path}/{rank}.pt')
    torch.distributed.destroy_process_group()


def test_target_statistics_of_two_processes_are_those_of_one(tmp_path):
    batch = torch.randn(3, 2, 8, 4, 3) * 2 + torch.randn(4, 3)
    run_in_two(_position_norm, tmp_path, batch)
    norm = PositionNorm(4, 3).train()
    for step in batch:
        norm(step.flatten(0, 1))
    for rank in (0, 1):
        theirs = torch.load(tmp_path / f'{rank}.pt', weights_only=True)
        for key, value in norm.state_dict().items():
            assert torch.allclose(theirs[key], value, atol=1e-6), key


def _threads_after_a_training(config):
    run_tool(
        'train.py', config, '--launcher', 'pytorch', '--work-dir',
        config.with_suffix(''),
    )  # fmt: skip
    names = [Path(p).read_text().strip() for p in glob('/proc/self/task/*/comm')]
    assert [name for name in names if 'gloo' in name] == []


@pytest.mark.skipif(not Path('/proc/self/task').is_dir(), reason='needs Linux')
def test_no_thread_of_gloo_outlives_a_training(tmp_path):
    """One that waits for Python while the interpreter exits aborts the process."""
    cfg = tiny_config(tmp_path / 'run', epochs=1, stages=1)
    cfg.pop('runner_type'), cfg.pop('launcher')
    cfg.dump(tmp_path / 'config.py')
    run_in_two(_threads_after_a_training, tmp_path / 'config.py')
