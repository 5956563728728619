"""The names of SQS's query protocol, which botocore's model of today leaves out.

SQS moved to JSON in November 2023 and answers to both. Clients made before (botocore
until 1.31.80, AWS CLI until 2.13.32, and the boto3 of many a distribution) write
``Attribute.1.Name`` where the model now says ``Attributes``. The names were constant
since 2012, so they stand here. Source: the SQS API Reference, "Query API requests",
and botocore 1.29's model of SQS, against which a test compares them.
"""

from __future__ import annotations

import re
from typing import Any

from gatekeep.aws.readers import refuse

_ITEMS = {
    "AWSAccountIdList": "AWSAccountId",
    "ActionNameList": "ActionName",
    "AttributeNameList": "AttributeName",
    "BinaryList": "BinaryListValue",
    "MessageAttributeNameList": "MessageAttributeName",
    "MessageSystemAttributeList": "MessageSystemAttributeName",
    "StringList": "StringListValue",
    "TagKeyList": "TagKey",
}
"""Lists by shape, and what stands before the number of an item; a list of entries
goes by the shape of its entries."""

_MAPS = {
    "MessageBodyAttributeMap": ("MessageAttribute", "Name", "Value"),
    "MessageBodySystemAttributeMap": ("MessageSystemAttribute", "Name", "Value"),
    "QueueAttributeMap": ("Attribute", "Name", "Value"),
    "TagMap": ("Tag", "Key", "Value"),
}
"""Maps by shape: what stands before the number, the key's name, the value's name."""

_ABOUT_NO_QUEUE = frozenset((
    "CancelMessageMoveTask", "CreateQueue", "GetQueueUrl", "ListMessageMoveTasks",
    "ListQueues", "StartMessageMoveTask",
))  # fmt: skip
"""Operations without a ``QueueUrl``."""

_is_queue_path = re.compile(rb"/[0-9]{12}/[A-Za-z0-9_-]{1,80}(?:\.fifo)?").fullmatch


def add_query_names(model: dict[str, Any]) -> None:
    """Put the names into a service-2 model of SQS, where JSON does not look."""
    shapes = model["shapes"]
    for name, shape in shapes.items():
        if shape["type"] == "list":
            item = shape["member"]
            known = name.endswith("EntryList") and item["shape"]
            item["locationName"] = _ITEMS.get(name) or known or "member"
        elif name in _MAPS:
            _, shape["key"]["locationName"], shape["value"]["locationName"] = _MAPS[
                name
            ]
        for member in shape.get("members", {}).values():
            if member["shape"] in _MAPS:
                member["queryName"] = _MAPS[member["shape"]][0]


def is_queue_path(path: bytes) -> bool:
    """Whether a path is a queue's URL, to which a form about it may be sent."""
    return _is_queue_path(path) is not None


def name_queue(path: bytes, operation: str, parameters: dict[str, Any]) -> None:
    """Take the queue from the path; it may stand in the form as well.

    Raises:
        UnrecognisedError: the operation is about no queue, or the form names another.
    """
    if operation in _ABOUT_NO_QUEUE:
        refuse("the call is about no queue, and its path names one")
    own = path.decode("ascii")
    url = parameters.setdefault("QueueUrl", own)
    if url != own and url.partition("://")[2].partition("/")[2] != own[1:]:
        refuse("the path and the parameters name different queues")
