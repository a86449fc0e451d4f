"""Convert a checkpoint: official BootMAE or MAE, mmpretrain, timm -> this plugin.

Or this plugin's encoder -> timm or mmpretrain (--to). The format is recognised by the
keys; the input is never changed.
"""

import argparse
from collections import Counter
from pathlib import Path

from .common import run


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('input', help='checkpoint to read (.pth, .safetensors)')
    parser.add_argument('output', help='file to write (.pth, .safetensors)')
    parser.add_argument(
        '--to',
        choices=['plugin', 'timm', 'mmpretrain'],
        default='plugin',
        help='what to make (default: plugin); timm and mmpretrain get the encoder',
    )
    parser.add_argument(
        '--unpickle',
        action='store_true',
        help='read an input that holds more than weights; this can run any code that '
        'is in it: only where you trust its source',
    )
    parser.add_argument('--force', action='store_true', help='replace the output')
    parser.add_argument('--debug', action='store_true', help='show tracebacks')
    return parser.parse_args(argv)


def save(weights: dict, path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    # Beside the output first: an interrupted run leaves no half file of its name.
    partial = path.with_name(path.name + '.partial')
    # A tensor that is stored twice, or a view, would be refused or saved whole.
    weights = {key: value.clone().contiguous() for key, value in weights.items()}
    if path.suffix == '.safetensors':
        save_file(weights, partial)
    else:
        torch.save(dict(state_dict=weights), partial)
    partial.replace(path)


def convert(args: argparse.Namespace) -> None:
    from bootmae_plugin.checkpoints import export, formats
    from bootmae_plugin.checkpoints.read import read_checkpoint, state_dict_of
    from bootmae_plugin.errors import check

    source, target = Path(args.input), Path(args.output)
    content = read_checkpoint(source, args.unpickle)
    check(
        source.resolve() != target.resolve(),
        f'output {target} is the input itself, which is never written over: '
        'name another file',
    )
    check(
        args.force or not target.exists(),
        f'output {target} exists already: name another file, or give --force',
    )
    weights = state_dict_of(content)
    name = formats.recognise(weights, str(source))
    print(f'{source}: {formats.FORMATS[name].title}, {len(weights)} tensors')
    if name == 'bootmae' and isinstance(content.get('model_ema'), dict):
        ours = formats.from_bootmae(weights, content['model_ema'])
    else:
        ours = formats.FORMATS[name].convert(weights)
    if args.to == 'plugin':
        result = ours
    else:
        encoder = export.export_encoder(ours, str(source))
        result = getattr(export, f'to_{args.to}')(encoder)
    kept = {value.data_ptr() for value in result.values()}
    dropped = [key for key, value in weights.items() if value.data_ptr() not in kept]
    merged = ('q_bias', 'v_bias', 'lm_head.proj.weight')
    dropped = Counter(k.split('.')[0] for k in dropped if not k.endswith(merged))
    save(result, target)
    print(f'{target}: {len(result)} tensors for {args.to}')
    parts = [f'{name} ({number} tensors)' for name, number in dropped.items()]
    print(f'dropped: {", ".join(parts) or "nothing"}')


def main(argv: list[str] | None = None) -> None:
    run(convert, parse_args(argv))
