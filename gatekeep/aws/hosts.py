"""What a Host header puts before one of the gateway's own names.

``bucket.gw`` and ``111122223333.gw`` are S3's and S3 Control's; ``sync-gw`` and
``data-gw`` are what SDKs make of operations with a host prefix. The prefix selects
among what the models have; it never becomes part of an upstream host by itself (I7).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from gatekeep.aws.readers import refuse

_KEPT = 4096
"""Host headers remembered; beyond that they are parsed each time."""

_LABEL = re.compile(r"\{(\w+)\}")
_PREFIX = re.compile(r"[a-z0-9._-]*")


class Hostnames:
    """The names agents reach the gateway by.

    Args:
        names: host names and IP literals, without ports.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        cleaned = {name.lower().strip("[]").encode() for name in names}
        # The longest first: of gw.test and a.gw.test, a.gw.test is not a bucket.
        self._names = sorted(cleaned, key=len, reverse=True)
        self._known: dict[bytes, str] = {}

    def prefix(self, raw: bytes) -> str:
        """What stands before our name, with its dot or dash; empty for nothing.

        Raises:
            UnrecognisedError: the header names none of the names.
        """
        known = self._known.get(raw)
        if known is not None:
            return known
        host = raw.lower()
        name, colon, port = host.rpartition(b":")
        if colon and port.isdigit() and (b":" not in name or name.endswith(b"]")):
            host = name
        host = host.strip(b"[]")
        for name in self._names:
            before = host[: len(host) - len(name)]
            if host.endswith(name) and (not before or before[-1:] in b".-"):
                break
        else:
            refuse("the Host header names none of the gateway's names", "aws.bad_host")
        prefix = before.decode("latin-1")
        if _PREFIX.fullmatch(prefix) is None:
            refuse("the Host header holds no host name", "aws.bad_host")
        if len(self._known) < _KEPT:
            self._known[raw] = prefix
        return prefix


@cache
def host_pattern(modelled: str) -> re.Pattern[str] | None:
    """What a modelled host prefix looks like in a Host header, labels as groups.

    The pattern takes the prefix as `Hostnames.prefix` gives it; None for no prefix.
    """
    if not modelled:
        return None
    return re.compile(
        "".join(
            f"(?P<{piece}>[a-z0-9.-]+)" if position % 2 else re.escape(piece.lower())
            for position, piece in enumerate(_LABEL.split(modelled))
        )
    )


def host_fits(modelled: str, prefix: str) -> bool:
    """Whether what Host puts before our name is what the model puts there.

    No prefix fits every model: clients leave it out for an IP literal, or when
    ``AWS_DISABLE_HOST_PREFIX_INJECTION`` is set.
    """
    if not prefix:
        return True
    pattern = host_pattern(modelled)
    return pattern is not None and pattern.fullmatch(prefix) is not None


def check_host(modelled: str, prefix: str, parameters: Mapping[str, Any]) -> None:
    """Raise when Host says something else than the model and the parameters.

    Raises:
        UnrecognisedError: another prefix than the model's, or a label in it that is
            not the parameter of that name.
    """
    if not prefix:
        return
    pattern = host_pattern(modelled)
    found = pattern.fullmatch(prefix) if pattern is not None else None
    if found is None:
        refuse("the Host header puts a name before the gateway's", "aws.bad_host")
    for name, label in found.groupdict().items():
        if str(parameters.get(name, label)).lower() != label:
            refuse("the Host header and the call name two things", "aws.bad_host")
