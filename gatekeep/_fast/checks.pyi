"""Whether what a pattern matched is a protected value; see `checks.pyx`."""

def checks() -> dict[str, int]:
    """Return the number of each check by its name."""
