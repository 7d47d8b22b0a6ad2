"""The exceptions that `hogql_parser` raises: it looks them up here by name."""


class BaseHogQLError(Exception):
    """Keeps where in the text the parser stood."""

    def __init__(self, message, *, start=None, end=None):
        super().__init__(f"{message} (at {start} to {end})")


class SyntaxError(BaseHogQLError): ...  # noqa: A001


class NotImplementedError(BaseHogQLError): ...  # noqa: A001


class ParsingError(BaseHogQLError): ...
