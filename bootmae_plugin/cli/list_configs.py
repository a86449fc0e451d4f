"""List the configs of the package: their names, and what each of them trains."""

import argparse
import re
from pathlib import Path

from ..configuration.names import config_files, config_folder
from ..errors import check
from .outcome import make_parser, report_errors


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser('configs', __doc__)
    parser.add_argument(
        'pattern', nargs='?', default='', help='part of a name, or a regular expression'
    )
    return parser.parse_args(argv)


def first_sentence(path: Path) -> str:
    """Return the first sentence of the comment that opens a config."""
    lines = []
    for line in path.read_text(encoding='utf-8').splitlines():
        if not line.startswith('# '):
            break
        lines.append(line.removeprefix('# '))
    return re.split(r'(?<=[.:]) (?=[A-Z])|[.:]$', ' '.join(lines), maxsplit=1)[0]


def list_configs(args: argparse.Namespace) -> None:
    try:
        pattern = re.compile(args.pattern)
    except re.error:
        pattern = re.compile(re.escape(args.pattern))
    root, shown = config_folder(), 0
    for path in config_files():
        name = path.relative_to(root).with_suffix('').as_posix()
        if pattern.search(name):
            print(f'{name}\n    {first_sentence(path)}')
            shown += 1
    check(shown > 0, f'no config has {args.pattern!r} in its name: give another part')


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    with report_errors(args):
        list_configs(args)
