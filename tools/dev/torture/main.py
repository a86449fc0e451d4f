"""Kill runs, give tools broken and malicious files, and check what is left.

    python tools/torture.py                                 # all trials
    python tools/torture.py kill --times 100
    python tools/torture.py corrupt --times 200
    python tools/torture.py switch pair full pickles archives

All trials take about 20 minutes on 2 idle CPU cores. The exit status is 1 if a trial
failed. The trials:

kill      Kills a pretraining of four stages on the digits at random moments, some of
          them while it writes a checkpoint; sometimes sends SIGTERM instead, which lets
          it save. Resumes it each time until it ends. Weights, teacher, optimizer state
          and random states must equal those of an uninterrupted run.
switch    The same, killed at each moment of a stage switch.
pair      Kills one of two processes.
full      Puts the work dir on a full filesystem of a few MB (mounts it: root, Linux).
corrupt   Truncates the newest checkpoint or flips a bit at a random place. It must be
          read with its old content, or be refused in one line.
pickles   Gives malicious pickles to every option that takes a file. None may run code.
archives  Gives malicious archives to prepare_data.py. All must be refused.
"""

import argparse
import logging
import random
import tempfile
from pathlib import Path

from bootmae_plugin.cli.common import run
from bootmae_plugin.cli.outcome import add_debug
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
    parser.add_argument(
        'trials', nargs='*', help=f'of {", ".join(TRIALS)}; default: all'
    )
    parser.add_argument(
        '--times',
        type=int,
        default=100,
        help='number of kills, and of damaged checkpoints; default: 100',
    )
    parser.add_argument(
        '--seed',
        type=int,
        default=0,
        help='of the random moments and places; default: 0',
    )
    add_debug(parser)
    return parser.parse_args(argv)


def run_trials(args: argparse.Namespace) -> None:
    """Run the trials; raise UserError with the first failure."""
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
        raise UserError(f'{len(failed)} failures, the first: {failed[0]}')


def main(argv: list[str] | None = None) -> None:
    """Run ``tools/torture.py`` with these words."""
    run(run_trials, parse_args(argv))
