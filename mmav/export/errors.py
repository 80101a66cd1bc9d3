"""What exports raise."""


class ExportError(ValueError):
    """A model that cannot be exported; the message names the part or the operator."""
