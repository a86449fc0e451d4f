"""Treat runs and inputs badly, and see that nothing is lost and nothing executed.

    python tools/torture.py                                 # all trials, 20 minutes
    python tools/torture.py kill --times 100
    python tools/torture.py corrupt --times 200
    python tools/torture.py switch pair full pickles archives

kill: a pretraining of four stages on the digits is killed at random moments, some
within the writing of a checkpoint, some by a signal that lets it save, and resumed each
time until it ends; it has to end with the weights, the teacher, the optimiser and the
random state of a run that nobody touched. switch: the same, killed at each step of a
change of the teacher. pair: one of two processes is killed. full: the work dir is on a
full filesystem of a few MB, mounted for it (needs root and Linux). corrupt: the newest
checkpoint is truncated or has a bit flipped at a random place; it has to be read as it
was, or be refused with one line. pickles, archives: malicious files, wherever one can
be given. Status 1 if a trial failed.
"""

import argparse
import logging
import random
import tempfile
from pathlib import Path

from bootmae_plugin.cli.common import run
from bootmae_plugin.errors import UserError, check

from . import archives, pickles, runs, wrecks

TRIALS = dict(
    kill=runs.trial_kill,
    switch=runs.trial_switch,
    pair=wrecks.trial_pair,
    full=wrecks.trial_full,
    corrupt=wrecks.trial_corrupt,
    pickles=pickles.trial_pickles,
    archives=archives.trial_archives,
)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('trials', nargs='*', help=f'of {[*TRIALS]} (default: all)')
    parser.add_argument(
        '--times', type=int, default=100, help='of kill and corrupt; default: 100'
    )
    parser.add_argument('--seed', type=int, default=0, help='of kills and places')
    parser.add_argument('--debug', action='store_true', help='show tracebacks')
    return parser.parse_args(argv)


def try_all(args: argparse.Namespace) -> None:
    names = args.trials or list(TRIALS)
    for name in names:
        check(name in TRIALS, f'unknown trial {name!r}: choose of {[*TRIALS]}')
    logging.disable(logging.WARNING)
    failed = []
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            wrong = TRIALS[name](Path(folder), args.times, random.Random(args.seed))
        failed += [f'{name}: {what}' for what in wrong]
    if failed:
        raise UserError(f'{len(failed)} wrong, first: {failed[0]}')


def main(argv: list[str] | None = None) -> None:
    run(try_all, parse_args(argv))
