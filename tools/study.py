"""Train and evaluate the runs of the study, and rebuild its tables."""

from _entry import run_command

if __name__ == '__main__':
    run_command('main', package='dev.study')
