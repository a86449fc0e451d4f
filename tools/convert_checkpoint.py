"""Convert a checkpoint from or to another project's format."""

from _entry import run_command

if __name__ == '__main__':
    run_command('convert')
