"""Train and evaluate the runs of the study, and rebuild its tables and figures.

    python tools/study.py run results/ladders/views.py --threads 1
    python tools/study.py run results/ladders/views.py --only 'views, K = 4' --seeds 1
    python tools/study.py run results/ladders/views.py --jobs 6      # on a GPU
    python tools/study.py tables

run     Trains every run of a ladder (resumes it after an interruption) and evaluates it
        on images held out from the training images. A run that is in results/runs.csv
        is skipped. Checkpoints and logs are in work_dirs/study/.
tables  Writes the tables and figures of docs/results.md from results/*.csv.
"""

import argparse

from bootmae_plugin.cli.common import run
from bootmae_plugin.cli.outcome import add_debug
from bootmae_plugin.errors import check

from .ladder import read_ladder
from .runs import climb
from .tables import rebuild


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('what', choices=['run', 'tables'])
    parser.add_argument('ladder', nargs='?', help='a file of results/ladders/')
    parser.add_argument('--only', nargs='+', help='names of runs; default: all')
    parser.add_argument('--seeds', nargs='+', type=int, help='default: all')
    parser.add_argument(
        '--threads', type=int, default=1, help='threads of a training; default: 1'
    )
    parser.add_argument(
        '--jobs',
        type=int,
        default=1,
        help='trainings at a time: small encoders do not fill a GPU; default: 1',
    )
    add_debug(parser)
    return parser.parse_args(argv)


def study(args: argparse.Namespace) -> None:
    if args.what == 'tables':
        print('tables:', *rebuild())
        return
    check(
        args.ladder is not None, 'run needs a ladder: give a file of results/ladders/'
    )
    check(args.jobs >= 1, f'--jobs {args.jobs} must be at least 1')
    ladder = read_ladder(args.ladder, args.only, args.seeds)
    climb(ladder, args.threads, args.jobs)


def main(argv: list[str] | None = None) -> None:
    """Run ``tools/study.py`` with these words."""
    run(study, parse_args(argv))
