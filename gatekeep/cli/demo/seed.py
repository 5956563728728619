"""A table of customers and a bucket, with protected data that nobody has.

The values are made up: SSNs of a range that is valid in form, card numbers of the
networks' own test series.
"""

from __future__ import annotations

import json
from typing import Any

import boto3

from gatekeep.cli.demo.place import BUCKET, REGION, TABLE

CUSTOMERS = (
    {
        "id": "c-1001",
        "name": "Ada Moreno",
        "ssn": "536-22-8145",
        "card": "4012888888881881",
        "email": "ada.moreno@example.com",
        "tier": "gold",
    },
    {
        "id": "c-1002",
        "name": "Ben Okafor",
        "ssn": "401-73-2296",
        "card": "5105105105105100",
        "email": "ben.okafor@example.com",
        "tier": "silver",
    },
    {
        "id": "c-1003",
        "name": "Chloe Park",
        "ssn": "219-44-7031",
        "card": "378282246310005",
        "email": "chloe.park@example.com",
        "tier": "gold",
    },
)
PROTECTED = tuple(
    customer[field] for customer in CUSTOMERS for field in ("ssn", "card", "email")
)
"""Every value that must never be seen outside AWS."""
STATEMENT = "2026-10/c-1001.json"
EXPORT = "exports/customers.parquet"


def direct(service: str, upstream: str) -> Any:
    """A boto3 client that goes around the gateway, straight to what stands for AWS."""
    return boto3.client(
        service,
        endpoint_url=upstream,
        region_name=REGION,
        aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
        aws_secret_access_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",  # noqa: S106  # the example key of the AWS documentation
    )


def seed(upstream: str) -> None:
    """Make the table and the bucket and fill them."""
    dynamodb = direct("dynamodb", upstream)
    dynamodb.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for customer in CUSTOMERS:
        dynamodb.put_item(
            TableName=TABLE,
            Item={name: {"S": value} for name, value in customer.items()},
        )
    s3 = direct("s3", upstream)
    s3.create_bucket(Bucket=BUCKET)
    first = CUSTOMERS[0]
    statement = {
        "customer": first["name"],
        "paid_with": first["card"],
        "sent_to": first["email"],
        "total": 129.5,
    }
    s3.put_object(
        Bucket=BUCKET,
        Key=STATEMENT,
        Body=json.dumps(statement).encode(),
        ContentType="application/json",
    )
    s3.put_object(
        Bucket=BUCKET,
        Key=EXPORT,
        # As a columnar file has them: readable to anybody who fetches it.
        Body=b"PAR1" + "".join(PROTECTED).encode() + b"PAR1",
        ContentType="application/vnd.apache.parquet",
    )


def raw_customer(upstream: str, customer: str) -> dict[str, str]:
    """One customer as AWS has it."""
    answer = direct("dynamodb", upstream).get_item(
        TableName=TABLE, Key={"id": {"S": customer}}
    )
    return {name: value["S"] for name, value in sorted(answer["Item"].items())}
