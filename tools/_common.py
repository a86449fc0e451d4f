"""What benchmark.py and torture.py take from ``bootmae_plugin.cli``."""

from _entry import add_checkout_to_path

add_checkout_to_path()
from bootmae_plugin.cli.common import run, run_in_process as run_here  # noqa: E402, F401, I001
