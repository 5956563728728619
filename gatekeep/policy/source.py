"""Policy files cut into policies, each with the line it stands on.

Cedar's parser reports no positions, so every policy is parsed and checked alone and
an error is put on the line of that policy that holds what the message quotes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gatekeep import limits
from gatekeep.errors import OperatorError

_TOKEN = re.compile(r'//[^\n]*|"(?:[^"\\]|\\.)*+"|;|[^\s;"/]+|\S', re.DOTALL)
"""Comment, string, the end of a policy, or anything else. An unclosed string's quote
falls under the last and Cedar's parser refuses it."""

_QUOTED = re.compile(r"`([^`]+)`|: (\S+)$")


@dataclass(frozen=True, slots=True)
class PolicyText:
    """One policy as it stands in its file."""

    path: Path
    line: int
    """Of its first character that is no comment, counted from 1."""
    text: str

    def line_of(self, message: str) -> int:
        """The line that holds something the message quotes, or the first one."""
        for found in _QUOTED.finditer(message):
            quoted = found[1] or found[2]
            # An entity is quoted whole in messages and may be spaced in the text.
            for part in (quoted, quoted.partition("::")[2].strip('"')):
                if part and (at := self.text.find(part)) >= 0:
                    return self.line + self.text.count("\n", 0, at)
        return self.line


def read_files(directory: Path) -> dict[str, str]:
    """Return the texts of a directory's ``*.cedar`` files by name, in name order.

    Raises:
        OperatorError: the directory or a file cannot be read, is no UTF-8 or is
            over `limits.POLICY_FILE_BYTES_MAX`; or there is no such file.
    """
    texts: dict[str, str] = {}
    path = directory
    try:
        for path in sorted(directory.iterdir()):
            if path.suffix != ".cedar":
                continue
            with path.open("rb") as file:
                data = file.read(limits.POLICY_FILE_BYTES_MAX + 1)
            if len(data) > limits.POLICY_FILE_BYTES_MAX:
                raise OperatorError(
                    "policy.size",
                    f"{path}: expected at most {limits.POLICY_FILE_BYTES_MAX} bytes",
                )
            texts[path.name] = data.decode("utf-8")
    except OSError as error:
        raise OperatorError("policy.unreadable", f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise OperatorError("policy.text", f"{path}: expected UTF-8") from error
    if not texts:
        raise OperatorError(
            "policy.none", f"{directory}: expected at least one file `*.cedar`"
        )
    return texts


def split_policies(path: Path, text: str) -> Iterator[PolicyText]:
    """Yield each policy of a file; the last may lack its semicolon."""
    start: int | None = None
    line, counted = 1, 0
    for token in _TOKEN.finditer(text):
        if token[0].startswith("//"):
            continue
        if start is None:
            start = token.start()
            line += text.count("\n", counted, start)
            counted = start
        if token[0] == ";":
            yield PolicyText(path, line, text[start : token.end()])
            start = None
    if start is not None:
        yield PolicyText(path, line, text[start:])
