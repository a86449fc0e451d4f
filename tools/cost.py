"""Estimate what a pretraining costs: FLOPs, memory, network traffic, hours."""

from _entry import run_command

if __name__ == '__main__':
    run_command('cost')
