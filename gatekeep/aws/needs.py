"""What a rule about needs is: the words of `needs_s3`, `needs_dynamodb`, `special`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gatekeep.aws.arns import Place

Pairs = Iterator[tuple[str, str]]
"""IAM action and resource ARN."""

Parameters = Mapping[str, Any]
"""A call's input members by modelled name."""

Rule = Callable[[Parameters, Place], Pairs]
"""What a call needs, from its parameters and from where it goes."""
