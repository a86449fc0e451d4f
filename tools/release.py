"""Ship the encoder of a finished run: its file, checksum, figures and model card."""

from _entry import run_command

if __name__ == '__main__':
    run_command('release', package='dev')
