"""The one exception for mistakes that a user can mend."""


class UserError(ValueError):
    """Bad input, told in one line: what was given, what was expected, what to do.

    The tools print only its message and exit with status 1 (``--debug`` shows the
    traceback). Of anything else they name the type, too, and a training keeps the
    traceback in a file.
    """


def check(condition: bool, message: str) -> None:
    """Raise :class:`UserError` with ``message`` unless ``condition`` holds."""
    if not condition:
        raise UserError(message)
