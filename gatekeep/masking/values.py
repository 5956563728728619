"""Parameter trees as records and reviewers get them: JSON, masked."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl, urlencode

from gatekeep.masking.engine import Engine


def mask_tree(engine: Engine, value: object) -> tuple[object, dict[str, int]]:
    """Return a JSON-able copy of a tree, masked, and what was found.

    Raises:
        MalformedTextError: it is nested too deep.
    """
    codec = engine.json("")
    told = json.dumps(value, default=plain, ensure_ascii=False)
    masked = codec.feed(told.encode("utf-8", "replace")) + codec.finish()
    return json.loads(masked), codec.findings


def mask_form(engine: Engine, body: bytes) -> bytes:
    """Return a query protocol's request, its values masked as their names say.

    Raises:
        MalformedTextError: never for a form; as `mask_tree` does.
    """
    pairs = parse_qsl(body.decode("latin-1"), keep_blank_values=True)
    masked, _ = mask_tree(engine, [{name: value} for name, value in pairs])
    assert isinstance(masked, list)
    return urlencode([pair for one in masked for pair in one.items()]).encode()


def plain(value: object) -> object:
    """A value that JSON has no form for, as text.

    Bytes become the text they are, or their count where they are not UTF-8.
    """
    if isinstance(value, bytes | bytearray | memoryview):
        try:
            return bytes(value).decode("utf-8")
        except UnicodeDecodeError:
            return f"({len(value)} bytes)"
    return str(value)
