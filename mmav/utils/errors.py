"""The one exception for data that cannot be used."""


class SampleError(ValueError):
    """A file or annotation that cannot be used; its message names it and says why.

    ``MAVDDataset(on_error='skip')`` leaves out the frames that raise it. Every other exception is a
    fault of the program or its configuration and is never skipped.

    Args:
        source: File, or file and entry, that is at fault.
        reason: What is wrong with it and, where possible, what to do.
    """

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(source, reason)
        self.source = str(source)
        self.reason = reason

    def __str__(self) -> str:
        return f'{self.source}: {self.reason}'
