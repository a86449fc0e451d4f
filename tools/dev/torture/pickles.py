"""Give malicious pickles to every option that takes a file."""

import contextlib
import importlib
import io
import operator
import pickle
import random
import re
import runpy
import shutil
import subprocess
import uuid
from pathlib import Path

from bootmae_plugin.cli.common import run_in_process

CONFIGS = Path(__file__).resolve().parents[3] / 'configs'
PRETRAIN = CONFIGS / 'selfsup/bootmae_deit-tiny_digits.py'
FINETUNE = CONFIGS / 'benchmarks/finetune/deit-tiny_digits.py'
LINEAR = CONFIGS / 'benchmarks/linear/deit-tiny_digits.py'
CIFAR10 = CONFIGS / 'selfsup/bootmae_deit-tiny_cifar10.py'


# The reasons that count. A tool that stops earlier, for another reason, proves nothing.
REFUSED = '|'.join(
    [
        *('was not loaded: it ', 'checkpoint .* cannot be read'),
        'none of the 1 checkpoints .* can be read',
        *('weights_only=True blocked', 'SafetensorError'),  # timm's
    ]
)


class Call:
    """Calls a function when it is unpickled, and becomes the result."""

    def __init__(self, function, *arguments) -> None:
        self.what = function, arguments

    def __call__(self) -> None:
        """Do nothing: pickle requires that what it calls is callable."""

    def __reduce__(self) -> tuple:
        return self.what


class State:
    """Has a ``Call`` in its state."""

    def __init__(self, call: Call) -> None:
        self.call = call


def gadgets(trap: Path) -> dict[str, object]:
    """Return objects that make the folder ``trap`` when unpickled, by what they use."""
    import numpy as np
    import torch
    from mmengine.logging import HistoryBuffer

    code = f'__import__("os").mkdir({str(trap)!r})'
    script = trap.with_name('script.py')
    script.write_text(code)
    os = Call(importlib.import_module, 'os')
    history = HistoryBuffer()
    history._log_history = np.array([Call(eval, code)], dtype=object)
    module = torch.nn.Identity()
    module.extra = Call(eval, code)
    return {
        'eval': Call(eval, code),
        'exec': Call(exec, code),
        'subprocess': Call(subprocess.call, ['mkdir', str(trap)]),
        'runpy': Call(runpy.run_path, str(script)),
        'getattr': Call(Call(getattr, os, 'mkdir'), str(trap)),
        'methodcaller': Call(operator.methodcaller('mkdir', str(trap)), os),
        'state': State(Call(eval, code)),
        'HistoryBuffer': history,
        'numpy': np.array([Call(eval, code)], dtype=object),
        'module': module,
    }


def malicious(folder: Path, trap: Path) -> dict[str, Path]:
    """Write checkpoints with such objects; return what is in each -> its path."""
    import torch

    weights = dict(state_dict=dict(weight=torch.zeros(1)))
    meta = dict(epoch=1, iter=1)
    paths = {}
    for name, gadget in gadgets(trap).items():
        paths[name] = folder / f'{name}.pth'
        torch.save(dict(weights, meta=meta, message_hub=gadget), paths[name])
    call = gadgets(trap)['eval']
    paths['old format'] = folder / 'old.pth'
    torch.save(
        dict(weights, extra=call),
        paths['old format'],
        _use_new_zipfile_serialization=False,
    )
    paths['plain pickle'] = folder / 'plain.pth'
    paths['plain pickle'].write_bytes(pickle.dumps(call))
    paths['safetensors'] = folder / 'a.safetensors'
    paths['safetensors'].write_bytes(pickle.dumps(call))
    return paths


def work_dir_with(folder: Path, checkpoint: Path) -> Path:
    """Make a work dir whose newest checkpoint is a copy of this one."""
    work_dir = folder / 'resumed'
    work_dir.mkdir()
    shutil.copy(checkpoint, work_dir / f'epoch_1{checkpoint.suffix}')
    (work_dir / 'last_checkpoint').write_text(f'epoch_1{checkpoint.suffix}')
    from mmengine.config import Config

    Config.fromfile(PRETRAIN).dump(work_dir / PRETRAIN.name)
    return work_dir


def places(file: Path, folder: Path) -> dict[str, list]:
    """Return the commands that take a checkpoint, by what it is given as."""
    # mmengine would take two runs of one second for the same run.
    name = f'experiment_name={uuid.uuid4().hex}'
    fresh = ['--work-dir', folder / 'run', '--cfg-options', name]
    head, teacher_is = 'model.head.init_cfg', 'model.target_generator'
    teacher = [f'{teacher_is}.type=PretrainedEncoder']
    encoder = ('type=MaskedDeiT', 'arch=deit-tiny', 'img_size=8', 'patch_size=4')
    encoder += ('out_type=featmap',)
    small = [LINEAR, file, '--cache', folder / 'cache']
    return {
        'train --resume FILE': ['train.py', PRETRAIN, '--resume', file, *fresh[:2]],
        'train --resume': [
            *('train.py', PRETRAIN, '--resume'),
            *('--work-dir', work_dir_with(folder, file), *fresh[2:]),
        ],
        'load_from': ['train.py', PRETRAIN, *fresh, f'load_from={file}'],
        'finetune': [
            *('train.py', FINETUNE, *fresh),
            f'model.backbone.init_cfg.checkpoint={file}',
        ],
        'linear': [
            *('train.py', LINEAR, *fresh),
            f'model.backbone.init_cfg.checkpoint={file}',
        ],
        'init_cfg of a head': [
            *('train.py', FINETUNE, *fresh, 'model.backbone.init_cfg=None'),
            *(f'{head}._delete_=True', f'{head}.type=Pretrained'),
            f'{head}.checkpoint={file}',
        ],
        'teacher': [
            *(
                'train.py',
                PRETRAIN,
                *fresh,
                *teacher,
                f'{teacher_is}.checkpoint={file}',
            ),
            *(f'{teacher_is}.backbone.{setting}' for setting in encoder),
        ],
        'teacher of timm': [
            *('train.py', PRETRAIN, *fresh, *teacher),
            f'{teacher_is}.backbone.type=TIMMBackbone',
            f'{teacher_is}.backbone.model_name=resnet10t',
            f'{teacher_is}.backbone.checkpoint_path={file}',
        ],
        'test': ['test.py', FINETUNE, file, '--work-dir', folder / 'test'],
        'knn': ['knn.py', *small],
        'linear_probe': ['linear_probe.py', *small],
        'reconstruct': ['reconstruct.py', PRETRAIN, file, '--out', folder / 'a.png'],
        'convert_checkpoint': ['convert_checkpoint.py', file, folder / 'out.pth'],
    }


def outcome(command: list) -> str:
    """Return '' if a tool succeeds, its 'error: ...' line, or what is wrong with it."""
    output = io.StringIO()
    try:
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            run_in_process(*command)
    except SystemExit as stop:
        text = str(stop.code or '')
        wrong = text and (not text.startswith('error: ') or '\n' in text)
        return f'not one line: {text}' if wrong else text
    except Exception as error:
        return f'traceback: {error!r}'
    return ''


def trial_pickles(folder: Path, times: int, draw: random.Random) -> list[str]:
    """Check that each file is refused for its content, and that nothing is executed."""
    import torch

    trap, wrong, tried = folder / 'trap', [], 0

    def expect_refusal(what: str, command: list, because: str = REFUSED) -> None:
        nonlocal tried
        said = outcome(command)
        tried += 1
        if trap.exists():
            trap.rmdir()
            wrong.append(f'{what}: was executed')
        elif not (said.startswith('error: ') and re.search(because, said)):
            wrong.append(f'{what}: {said or "was taken"}')

    files = malicious(folder, trap)
    for name, file in files.items():
        unpickle(file)
        if not trap.exists():
            wrong.append(f'{name}: does nothing, so it proves nothing')
            continue
        trap.rmdir()
        for place in places(file, fresh_folder(folder)):
            command = places(file, fresh_folder(folder))[place]
            expect_refusal(f'{name} in {place}', command)
    # A checkpoint of plain types, whose config (a string) is code that mmengine runs.
    scratch = fresh_folder(folder)
    file = folder / 'config.pth'
    code = f'import os\nos.mkdir({str(trap)!r})'
    meta = dict(epoch=1, iter=1, config=code)
    torch.save(dict(state_dict={}, meta=meta, message_hub={}), file)
    expect_refusal(
        'config in meta', places(file, scratch)['train --resume FILE'], 'does not match'
    )
    # The config that a work dir keeps is code, too.
    scratch = fresh_folder(folder)
    command = places(file, scratch)['train --resume']
    (scratch / 'resumed' / PRETRAIN.name).write_text(code)
    expect_refusal('config of a work dir', command, 'is not a config of a run')
    # Data sets that are pickles.
    scratch = fresh_folder(folder)
    base = scratch / 'cifar-10-batches-py'
    base.mkdir()
    for name in [
        *(f'data_batch_{i}' for i in range(1, 6)),
        'test_batch',
        'batches.meta',
    ]:
        (base / name).write_bytes(files['plain pickle'].read_bytes())
    option = f'train_dataloader.dataset.source.data_root={scratch}'
    fresh = ['--work-dir', scratch / 'run', '--cfg-options', option]
    expect_refusal('CIFAR-10', ['train.py', CIFAR10, *fresh], 'MD5')
    prepare = ['prepare_data.py', 'cifar10', '--out', scratch / 'out', '--from']
    expect_refusal('CIFAR-10 --from folder', [*prepare, base], 'MD5')
    archive = Path(shutil.make_archive(folder / 'cifar', 'gztar', scratch, base.name))
    expect_refusal('CIFAR-10 --from archive', [*prepare, archive], 'MD5')
    print(f'pickles: {len(files) + 2} kinds, {tried} times in all; wrong: {wrong}')
    return wrong


def unpickle(file: Path) -> None:
    """Load a file as a careless program does."""
    import torch

    with contextlib.suppress(Exception):  # it has been executed by then
        torch.load(file, weights_only=False)
    if file.suffix == '.safetensors':
        pickle.loads(file.read_bytes())


def fresh_folder(folder: Path) -> Path:
    """An empty one, in place of the last."""
    scratch = folder / 'scratch'
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    return scratch
