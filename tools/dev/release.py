"""Ship the encoder of a finished run with the package.

    python tools/release.py work_dirs/RUN --threads 2

Writes weights/NAME.* (see weights/README.md), where NAME is that of the run's config.
Then it evaluates the shipped file: k-NN and a linear layer of --benchmark on the test
images, and k-NN on scikit-learn's digits, which a test of the suite repeats. The
figures go into results/zoo.csv, the name into configs/metafile.yml, and both into the
model card in docs/zoo.md. The same command with a better run replaces all of it.

A run may start from the encoder that ships under the same name (init_cfg of its
backbone): its epochs and core-hours count, too.

A file above 5 MB is stored in half precision, in weights/large/: the repository has it,
the wheel does not.
"""

import argparse
import csv
import json
import re
from pathlib import Path

import torch
from mmengine.config import Config

from bootmae_plugin.checkpoints.export import export_encoder, save_weights
from bootmae_plugin.checkpoints.read import read_checkpoint, state_dict_of
from bootmae_plugin.checkpoints.shipped import SCHEME, sha256, shipped_weights
from bootmae_plugin.cli import knn, linear_probe
from bootmae_plugin.cli.common import run
from bootmae_plugin.cli.outcome import add_debug
from bootmae_plugin.errors import check
from bootmae_plugin.evaluation.results import COLUMNS
from bootmae_plugin.visualization import RunFiles

from .study.runs import facts_of, rows

WEIGHTS = Path('weights')
FOR_WHEEL = 5_000_000  # bytes in float32; larger encoders are not in the wheel
FIGURES = Path('results/zoo.csv')
INDEX = Path('configs/metafile.yml')
CARDS = Path('docs/zoo.md')
BENCHMARK = 'configs/benchmarks/linear/deit-tiny-d48_cifar10.py'
CHECK = 'configs/benchmarks/linear/deit-tiny_digits.py'
# What a saved config says about the machine and the start of its run.
OF_THE_START = ('work_dir', 'resume', 'load_from', 'launcher')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('run', type=Path, help='work dir of a finished pretraining')
    parser.add_argument('--benchmark', default=BENCHMARK, help=f'default: {BENCHMARK}')
    parser.add_argument('--check', default=CHECK, help=f'default: {CHECK}')
    parser.add_argument(
        '--threads',
        type=int,
        default=1,
        help='threads that it trained with; default: 1',
    )
    parser.add_argument(
        '--no-controls',
        dest='controls',
        action='store_false',
        help='leave out raw pixels and the untrained encoder, which takes as long '
        'again, and keep their older figures',
    )
    add_debug(parser)
    return parser.parse_args(argv)


def name_of(trained: RunFiles) -> str:
    """Return the name of a run's config.

    Raises:
        UserError: if the run is not finished, or its config is none of ours.
    """
    wanted = trained.config.train_cfg.max_epochs
    done = trained.training[-1]['epoch'] if trained.training else 0
    check(
        done == wanted and trained.checkpoint is not None,
        f'{trained.folder} has trained {done} of {wanted} epochs: wait until it ends',
    )
    (name,) = (path.stem for path in trained.folder.glob('*.py'))
    check(
        f'  - Name: {name}\n' in INDEX.read_text('utf-8'),
        f'{INDEX} has no model {name}: release a run of a shipped pretraining config',
    )
    return name


def started_from(trained: RunFiles, name: str) -> dict | None:
    """Return the facts of the shipped encoder that a run started from, if it did.

    Raises:
        UserError: if it started from another file, whose cost nobody knows.
    """
    start = trained.config.model.backbone.get('init_cfg') or {}
    if not isinstance(start, dict) or start.get('type') != 'Pretrained':
        return None
    path, facts_file = start['checkpoint'], WEIGHTS / f'{name}.json'
    facts = json.loads(facts_file.read_text('utf-8')) if facts_file.is_file() else {}
    path = shipped_weights(path) if path.startswith(SCHEME) else Path(path)
    check(
        path.is_file() and sha256(path) == facts.get('sha256'),
        f'{trained.folder} started from {path}, which is not the encoder of '
        f'{facts_file}: what that cost is not known; start from {SCHEME}{name} or from '
        'random weights',
    )
    return facts


def add_start(facts: dict, start: dict) -> dict:
    """Return the facts of a run together with those of its start."""
    summed = ('epochs', 'stages', 'core_hours', 'gpu_hours')
    both = {key: round(start[key] + facts[key], 3) for key in summed}
    kinds = [start['precision'], facts['precision']]
    both['precision'] = ', then '.join(dict.fromkeys(kinds))
    return {**facts, **both, 'started_from': start}


def write_files(trained: RunFiles, name: str, benchmark: str, threads: int) -> None:
    """Write the encoder, its checksum, the config and the log of a run."""
    WEIGHTS.mkdir(exist_ok=True)
    start = started_from(trained, name)
    checkpoint = trained.checkpoint
    weights = state_dict_of(read_checkpoint(checkpoint))
    encoder = export_encoder(weights, str(checkpoint))
    parameters = sum(value.numel() for value in encoder.values())
    target = WEIGHTS / f'{name}.safetensors'
    in_wheel = 4 * parameters <= FOR_WHEEL
    file = target if in_wheel else WEIGHTS / 'large' / target.name
    dtype = torch.float32 if in_wheel else torch.float16
    save_weights({f'backbone.{k}': v.to(dtype) for k, v in encoder.items()}, file)
    facts = dict(
        sha256=sha256(file),
        bytes=file.stat().st_size,
        file=str(file.relative_to(WEIGHTS)),
        dtype=str(dtype).removeprefix('torch.'),
        parameters=parameters,
        epochs=trained.training[-1]['epoch'],
        stages=max(row.get('stage', 1) for row in trained.training),
        **facts_of(trained, threads),
        command=trained.command,
    )
    facts = add_start(facts, start) if start else facts
    text = json.dumps(facts, indent=2) + '\n'
    target.with_suffix('.json').write_text(text, encoding='utf-8')
    lines = ''.join(json.dumps(row) + '\n' for row in trained.scalars)
    target.with_suffix('.jsonl').write_text(lines, encoding='utf-8')
    # mmpretrain's FeatureExtractor looks there for the pipeline of one image.
    test = Config.fromfile(benchmark).test_dataloader.dataset
    kept = {k: v for k, v in trained.config.items() if k not in OF_THE_START}
    dataset = {key: test[key] for key in ('type', 'img_size', 'pipeline')}
    config = Config({**kept, 'test_dataloader': dict(dataset=dataset)})
    if start:  # the file is gone where this config is used
        config.model.backbone.init_cfg = None
    config.dump(target.with_suffix('.py'))


def same_arch(name: str, benchmark: str) -> list[str]:
    """Return the options that give a benchmark the architecture of an encoder."""
    arch = Config.fromfile(WEIGHTS / f'{name}.py').model.backbone.arch
    if arch == Config.fromfile(benchmark).model.backbone.arch:
        return []
    named = {'': arch} if isinstance(arch, str) else {f'.{k}': arch[k] for k in arch}
    options = [f'model.backbone.arch{key}={value}' for key, value in named.items()]
    return ['--cfg-options', *options]


def evaluate(name: str, benchmark: str, digits: str, controls: bool) -> None:
    """Evaluate the shipped file, and an untrained encoder; replace older figures."""

    def is_old(row: dict) -> bool:
        control = row['config'] == benchmark and row['checkpoint'] in ('random', '')
        return (control and controls) or row['checkpoint'] == SCHEME + name

    kept = [row for row in rows(FIGURES) if not is_old(row)]
    with FIGURES.open('w', newline='') as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator='\n')
        writer.writeheader()
        writer.writerows(kept)
    words = [SCHEME + name, '--csv', str(FIGURES), '--pool', 'avg', 'flatten64']
    knn.main([digits, *words, *same_arch(name, digits)])
    also = ['--controls'] if controls else []
    knn.main([benchmark, *words, *also])
    training = ['--epochs', '20', '--seeds', '1']
    # The public figures of this encoder are of all tokens.
    linear_probe.main([benchmark, *words, 'flatten66', *also, *training])


def write_name(name: str) -> None:
    """Let the model index name the weights, their config and how long it trained."""
    text = INDEX.read_text('utf-8')
    epochs = json.loads((WEIGHTS / f'{name}.json').read_text('utf-8'))['epochs']
    entry = re.compile(rf'  - Name: {re.escape(name)}\n(    .*\n)*')
    found = entry.search(text)[0]
    lines = [line for line in found.splitlines() if 'Weights:' not in line]
    lines = [
        f'    Config: weights/{name}.py' if line.startswith('    Config:') else line
        for line in lines
    ]
    entry_text = '\n'.join([*lines, f'    Weights: {SCHEME}{name}']) + '\n'
    entry_text = re.sub(r'Epochs: \d+', f'Epochs: {epochs}', entry_text)
    INDEX.write_text(text.replace(found, entry_text), encoding='utf-8')


def figures_table(name: str, benchmark: str) -> list[str]:
    """Return the lines of a card's table: this encoder beside an untrained one."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for row in rows(FIGURES):
        if row['config'] == benchmark:
            cells = found.setdefault((row['protocol'], row['pool']), {})
            cells[row['checkpoint']] = row['mean']
    columns = {'this encoder': SCHEME + name, 'untrained': 'random'}
    if not any('random' in cells for cells in found.values()):
        del columns['untrained']
    lines = [
        '| ' + ' | '.join(['protocol', 'features', *columns]) + ' |',
        '|---|---|' + '---:|' * len(columns),
    ]
    for (protocol, pool), cells in found.items():
        if pool == 'pixels':
            cells = {SCHEME + name: cells['']}
        if SCHEME + name not in cells:
            continue  # another encoder has this figure
        figures = [cells.get(source, '') for source in columns.values()]
        row = '| ' + ' | '.join([protocol, pool, *figures]) + ' |'
        lines.append(row.replace('|  |', '| |'))
    return lines


def write_card(name: str, benchmark: str) -> None:
    """Write the generated part of a model card."""
    facts = json.loads((WEIGHTS / f'{name}.json').read_text('utf-8'))
    config = Config.fromfile(WEIGHTS / f'{name}.py')
    backbone, loader = config.model.backbone, config.train_dataloader
    date = '-'.join((facts['date'][:4], facts['date'][4:6], facts['date'][6:]))
    cost = f'{facts["core_hours"]} core-hours of a CPU'
    if facts.get('gpu_hours'):
        cost = f'{60 * facts["gpu_hours"]:.0f} minutes of one {facts["device"]}'
    about = dict(
        encoder=f'`{backbone.type}`, {backbone.arch}, {backbone.img_size}x'
        f'{backbone.img_size} pixels in patches of {backbone.patch_size}; '
        f'{facts["parameters"]:,} parameters, {facts["dtype"]}',
        data=f'`{dict(loader.dataset.source)}`, without labels',
        recipe=f'[`{name}.py`](../weights/{name}.py), {facts["epochs"]} epochs in '
        f'{facts["stages"]} stages, batch {loader.batch_size}',
        cost=f'about {cost}, {facts["precision"]}, {date}',
        file=f'`weights/{facts["file"]}`, {facts["bytes"]:,} bytes, SHA-256 '
        f'`{facts["sha256"]}`; the log is `{name}.jsonl`',
    )
    if start := facts.get('started_from'):
        about['recipe'] += f', of which {start["epochs"]} epochs in {start["stages"]} '
        about['recipe'] += 'stages made the encoder that it started from (its file, '
        about['recipe'] += f'SHA-256 `{start["sha256"][:12]}...`, is in the history)'
    card = [
        f'<!-- card {name} -->',
        f'## {name}',
        '',
        '| | |',
        '|---|---|',
        *(f'| {key} | {value} |' for key, value in about.items()),
        '',
        f'Top-1 in percent on the test images of `{benchmark}`, one run each:',
        '',
        *figures_table(name, benchmark),
        '<!-- end -->',
    ]
    text, block = CARDS.read_text('utf-8'), '\n'.join(card)
    old = re.compile(rf'<!-- card {re.escape(name)} -->.*?<!-- end -->', re.DOTALL)
    found = old.search(text)
    text = text.replace(found[0], block) if found else f'{text.rstrip()}\n\n{block}\n'
    CARDS.write_text(text, encoding='utf-8')


def release(args: argparse.Namespace) -> None:
    check(
        INDEX.is_file() and CARDS.is_file(),
        f'no {INDEX} or {CARDS}: run this in the top folder of a checkout',
    )
    trained = RunFiles(args.run)
    name = name_of(trained)
    write_files(trained, name, args.benchmark, args.threads)
    evaluate(name, args.benchmark, args.check, args.controls)
    write_name(name)
    write_card(name, args.benchmark)
    print(f'released: {SCHEME}{name} ({WEIGHTS}/{name}.*, {FIGURES}, {INDEX}, {CARDS})')


def main(argv: list[str] | None = None) -> None:
    """Run ``tools/release.py`` with these words."""
    run(release, parse_args(argv))
