"""Requests that fit several operations, and the rule that settles each.

Most are settled by the head alone (`bindings`: static and required query keys,
required headers, the Host prefix). What is left is written out here. What no rule
settles needs the permissions of all its candidates.
"""

from __future__ import annotations

from typing import Any

from gatekeep.aws.bindings import Binding

Reading = tuple[Binding, dict[str, Any]]
"""An operation that head and body fit, and its parameters."""


def settle(signing_name: str, readings: list[Reading]) -> list[Reading]:
    """The readings that remain after the declared rules; the first one leads."""
    return readings
