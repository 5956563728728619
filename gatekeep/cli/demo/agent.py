"""A support agent's tools, written for AWS: boto3 and nothing else.

Nothing here knows of gatekeep. Where it goes is decided by the standard AWS
environment variables of its process.
"""

import json
import sys
from collections.abc import Callable

import boto3
from botocore.exceptions import ClientError


def whoami() -> dict[str, str]:
    """Ask AWS who we are."""
    answer = boto3.client("sts").get_caller_identity()
    return {"Account": answer["Account"], "Arn": answer["Arn"]}


def read(customer: str) -> dict[str, str]:
    """Read one customer."""
    table = boto3.resource("dynamodb").Table("customers")
    return dict(table.get_item(Key={"id": customer})["Item"])


def drop() -> dict[str, str]:
    """Clean up in a way that nobody asked for."""
    athena = boto3.client("athena")
    answer = athena.start_query_execution(
        QueryString="DROP TABLE customers",
        QueryExecutionContext={"Database": "crm"},
        ResultConfiguration={"OutputLocation": "s3://demo-statements/athena/"},
    )
    return {"QueryExecutionId": answer["QueryExecutionId"]}


def upgrade(customer: str) -> dict[str, str]:
    """Move one customer to another tier."""
    table = boto3.resource("dynamodb").Table("customers")
    answer = table.update_item(
        Key={"id": customer},
        UpdateExpression="SET tier = :tier",
        ExpressionAttributeValues={":tier": "platinum"},
        ReturnValues="UPDATED_NEW",
    )
    return dict(answer["Attributes"])


if __name__ == "__main__":
    task, *arguments = sys.argv[1:]
    tasks: dict[str, Callable[..., dict[str, str]]] = {
        "whoami": whoami,
        "read": read,
        "drop": drop,
        "upgrade": upgrade,
    }
    try:
        print(json.dumps(tasks[task](*arguments)))
    except ClientError as error:
        sys.exit(f"{type(error).__name__}: {error}")
