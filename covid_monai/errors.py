"""The one exception that users are meant to see."""


class InputError(ValueError):
    """What the user gave cannot be used.

    The message is one line: what was received, what is allowed, what to do next. The command line prints it
    without a traceback and exits with status 1.
    """
