"""The exception for mistakes that the user can correct."""


class UserError(ValueError):
    """Wrong input: says what was given, what was expected and what to do next.

    The tools print the message as one line and exit with status 1 (``--debug`` shows
    the traceback). For any other exception they print its type, too, and a training
    writes the traceback into a file.
    """


def check(condition: bool, message: str) -> None:
    """Raise :class:`UserError` with ``message`` unless ``condition`` holds."""
    if not condition:
        raise UserError(message)
