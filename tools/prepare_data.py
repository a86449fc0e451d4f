"""Make a data set ready: download or copy it, verify it, list its images."""

from _entry import run_command

if __name__ == '__main__':
    run_command('prepare_data')
