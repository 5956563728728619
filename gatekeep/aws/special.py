"""Operations whose needs follow from their parameters in a way of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gatekeep.aws.arns import Place

Pairs = Iterator[tuple[str, str]]
"""IAM action and resource ARN."""

SPECIAL: dict[tuple[str, str], Callable[[Mapping[str, Any], Place], Pairs]] = {}
