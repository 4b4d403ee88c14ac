"""UIDs of new objects, and those that stand in for what a de-identified source lacks."""

import uuid

_NAMESPACE = uuid.UUID("6d0f3f0e-6a53-4b5c-9d2c-6f2b6a4f4c55")


def new_uid() -> str:
    """A UID that no other object has: of a random UUID (PS3.5 section B.2)."""
    return f"2.25.{uuid.uuid4().int}"


def uid_from(text: str) -> str:
    """The same UID for the same text: a UUID becomes its own UID (PS3.5 section B.2), other texts one of their hash."""
    try:
        number = uuid.UUID(text.strip())
    except ValueError:
        number = uuid.uuid5(_NAMESPACE, text)
    return f"2.25.{number.int}"


def is_uid(text: str) -> bool:
    """Whether a text is a UID by the rules of PS3.5 section 9.1."""
    from pydicom.uid import UID

    # its constructor takes what is no UID with a warning
    return bool(text) and bool(UID(text, validation_mode=0).is_valid)
