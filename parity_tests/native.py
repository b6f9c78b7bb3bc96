"""What is compiled for this machine, for tests that need it."""

from port.errors import PortError
from port.native.build import library


def why_missing(name: str) -> str:
    """Why `name`.c cannot be compiled here; empty where it can."""
    try:
        library(name)
    except PortError as error:
        return str(error)
    return ""
