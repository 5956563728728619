"""An agent that knows nothing of gatekeep: stock boto3 and a table of calls.

Runs in its own process with environment variables only. Reads the table from standard
input and writes, as one JSON list, what each call gave: status, every header and every
body byte as boto3's transport saw them, what boto3 made of them, and what it had sent.

A table is ``[[service, [step, …]], …]``; a service may name one protocol of its several
(``cloudwatch/query``). A step is ``[operation, parameters, options]``:

- ``${name}`` in parameters is what an earlier step kept; ``{"$bytes": hex}`` is binary;
- ``keep``: name → path into the answer (``Vpc.VpcId``);
- ``how``: ``call`` (default), ``pages``, ``wait`` (the operation is the waiter's name).
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import sys
import urllib.request
import zlib

import boto3
import botocore.exceptions
import botocore.parsers
from botocore.config import Config

NOT_UNDERSTOOD = (
    botocore.exceptions.BotoCoreError,
    botocore.parsers.ResponseParserError,
    LookupError,
)
kept = {}
seen = []
sent = []
"""Answers to the step under way, and its requests."""


def fill(value):
    if isinstance(value, dict):
        if "$bytes" in value:
            return bytes.fromhex(value["$bytes"])
        if "$upload" in value:
            return io.BytesIO(b"gatekeep" * value["$upload"])
        return {key: fill(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [fill(inner) for inner in value]
    if isinstance(value, str):
        whole = re.fullmatch(r"\$\{(\w+)\}", value)
        if whole:
            return kept[whole[1]]
        return re.sub(r"\$\{(\w+)\}", lambda m: str(kept[m[1]]), value)
    return value


def at(answer, path):
    for part in path.split("."):
        answer = answer[int(part)] if part.isdigit() else answer[part]
    return answer


def plain(value):
    """What boto3 gave, as JSON; streams are read to their end."""
    if isinstance(value, dict):
        return {
            key: plain(inner)
            for key, inner in value.items()
            if key != "ResponseMetadata"
        }
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if hasattr(value, "read"):
        data = value.read()
        return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    if hasattr(value, "_event_generator"):
        return [plain(event) for event in value]
    if isinstance(value, bytes):
        return value.hex()
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def note(http_response=None, response_dict=None, **_):
    """One answer as the transport saw it (boto3's event ``before-parse``)."""
    headers = {k.lower(): v for k, v in response_dict["headers"].items()}
    body = response_dict.get("body")
    body = body if isinstance(body, bytes) else None
    if "x-amz-crc32" in headers and body is not None:
        right = int(headers["x-amz-crc32"]) == zlib.crc32(body)
        headers["x-amz-crc32"] = "right" if right else "wrong"
    if body and headers.get("content-length") == str(len(body)):
        headers["content-length"] = "right"  # times print in more digits or fewer
    seen.append({
        "status": response_dict["status_code"],
        "headers": headers,
        "body": None if body is None else body.decode("latin-1"),
    })  # fmt: skip


def note_request(request, **_):
    """One request as it goes to the transport (boto3's event ``before-send``)."""
    body = request.body
    sent.append({
        "method": request.method,
        "url": request.url,
        "headers": {k.lower(): text(v) for k, v in request.headers.items()},
        "body": text(body) if isinstance(body, bytes) else None,
    })  # fmt: skip


def text(value):
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def make_client(name):
    service, _, protocol = name.partition("/")
    session = boto3.Session()
    if protocol:
        loader = session._session.get_component("data_loader")
        load = loader.load_service_model

        def load_one(service_name, type_name, *more, **options):
            model = load(service_name, type_name, *more, **options)
            if (service_name, type_name) == (service, "service-2"):
                model["metadata"]["protocols"] = [protocol]
                model["metadata"]["protocol"] = protocol
            return model

        loader.load_service_model = load_one
    config = Config(
        s3={"addressing_style": "path"},
        disable_request_compression=False,
        inject_host_prefix=False,
    )
    client = session.client(service, config=config)
    client.meta.events.register("before-parse.*.*", note)
    client.meta.events.register("before-send.*.*", note_request)
    return client


def run(client, operation, parameters, how):
    if how == "pages":
        from botocore import xform_name

        return list(client.get_paginator(xform_name(operation)).paginate(**parameters))
    if how == "wait":
        settings = {"Delay": 0, "MaxAttempts": 5}
        client.get_waiter(operation).wait(**parameters, WaiterConfig=settings)
        return {}
    return client._make_api_call(operation, parameters)


def main():
    results = []
    for number, (service, steps) in enumerate(json.load(sys.stdin)):
        if seed := os.environ.get("MOTO_SEED_URL"):
            # Equal random ids on both sides; what still differs is mapped.
            urllib.request.urlopen(f"{seed}?a={number}", data=b"").close()
        client = make_client(service)
        for operation, parameters, options in steps:
            seen.clear()
            sent.clear()
            try:
                answer = run(
                    client, operation, fill(parameters), options.get("how", "call")
                )
                for name, path in options.get("keep", {}).items():
                    kept[name] = at(answer, path)
                outcome = plain(answer)
            except botocore.exceptions.ClientError as error:
                outcome = {"error": plain(error.response["Error"])}
            except NOT_UNDERSTOOD as error:
                outcome = {"no answer": type(error).__name__, "why": str(error)[:300]}
            results.append({
                "call": f"{service}.{operation}",
                "outcome": outcome,
                "answers": list(seen),
                "requests": list(sent),
            })  # fmt: skip
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
