"""A terminal without the framework's messages; the log file gets all of them."""

import logging
import re

from mmengine.logging import MMLogger

# Warnings that tell a user nothing: every frozen parameter, mmengine's own old calls.
NOISE = re.compile(
    'is skipped since its requires_grad=False|FileClient|HardDisk|The prefix is not set'
    '|in the "function" registry tree|is not defined in message_hub'
    '|Resumed iteration number is not divisible'  # we restore the gradients
)


def keep_quiet(logger: MMLogger) -> MMLogger:
    """Show only warnings on the terminal; the log file gets everything."""
    for handler in logger.handlers:
        if type(handler) is logging.StreamHandler:
            handler.setLevel(max(handler.level, logging.WARNING))
            handler.addFilter(lambda record: not NOISE.search(record.getMessage()))
    return logger
