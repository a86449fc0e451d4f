"""Draw the reconstructions of masked images."""

from _entry import run_command

if __name__ == '__main__':
    run_command('reconstruct')
