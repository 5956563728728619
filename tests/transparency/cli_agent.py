"""An agent that runs AWS CLI v1: one process, many command lines, stock `awscli`.

Reads command lines from standard input, one a line; prints one JSON list of exit code,
standard output and standard error.
"""

from __future__ import annotations

import contextlib
import io
import json
import shlex
import sys

from awscli.clidriver import create_clidriver


def main():
    results = []
    for line in sys.stdin:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = create_clidriver().main(shlex.split(line))
        results.append([code, out.getvalue(), err.getvalue()])
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
