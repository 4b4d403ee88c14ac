"""The exception and the warning that users are meant to see, and how other exceptions become the former."""

import difflib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


class InputError(ValueError):
    """What the user gave cannot be used.

    The message is one line: what was received, what is allowed, what to do next. The command line prints it
    without a traceback and exits with status 1.
    """


class InputWarning(UserWarning):
    """What the user gave is used, and one point of it may not be as they believe.

    The message is one line: what was found, what is assumed, and how to say otherwise. The command line prints it, and
    it stands in the result.
    """


@contextmanager
def collecting_warnings() -> Iterator[list[str]]:
    """Yield a list that fills with the messages of each :class:`InputWarning` of the body, once each, in order.

    Other warnings go on as if there were no such list.
    """
    messages: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", InputWarning)
        try:
            yield messages
        finally:
            of_inputs = [str(warning.message) for warning in caught if issubclass(warning.category, InputWarning)]
            messages.extend(dict.fromkeys(of_inputs))
    for warning in caught:
        if not issubclass(warning.category, InputWarning):
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)


def first_line(error: BaseException) -> str:
    """What another library's error says first, for a message of one line: at most 300 characters.

    The type's name where it says nothing.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__


def did_you_mean(word: str, known: list[str]) -> str:
    """`` (did you mean 'x'?)`` where a known word is near, else nothing."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f" (did you mean {near[0]!r}?)" if near else ""


@contextmanager
def plain_input_errors() -> Iterator[None]:
    """Raise the InputError behind MONAI's layers of wrapping errors instead of the wrapper."""
    try:
        yield
    except Exception as error:
        for cause in causes_of(error):
            if isinstance(cause, InputError):
                raise cause from None
        raise


@contextmanager
def building(bundle: str) -> Iterator[None]:
    """Tell what a bundle's parts raise while they are made from the user's settings as an InputError.

    Which values a network, a loss or a data loader accepts is known to them alone, and each has its own errors.
    """
    with plain_input_errors():
        try:
            yield
        except Exception as error:
            *_, first = causes_of(error)
            if any(isinstance(cause, InputError) for cause in causes_of(error)):
                raise
            reason = " ".join(str(first).split())[:300] or type(first).__name__
            raise InputError(f"{bundle} cannot be built with these settings: {reason}") from error


def causes_of(error: BaseException) -> Iterator[BaseException]:
    """An error and those that it was raised from, or while handling, the last one first."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
