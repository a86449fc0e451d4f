"""Evaluate a pretrained encoder by a linear layer on cached features."""

from _entry import run_command

if __name__ == '__main__':
    run_command('linear_probe')
