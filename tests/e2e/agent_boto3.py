"""An agent that knows nothing of gatekeep: plain boto3, a table of calls.

Run in its own process with environment variables only. Prints one JSON object: what
each call gave, with the parts that differ from run to run (ids, times) left out.
"""

import hashlib
import io
import json
import sys

import boto3
import botocore.exceptions

VOLATILE = {
    "ResponseMetadata", "LastModified", "CreationDate", "CreationDateTime",
    "TableId", "TableArn", "MessageId", "ReceiptHandle", "QueueUrl", "QueueUrls",
    "SenderId", "SentTimestamp", "CreatedDate", "LastChangedDate", "VersionId",
    "VersionIdsToStages", "ARN", "UploadId", "LastAccessedDate", "UserId", "Arn",
    "ApproximateFirstReceiveTimestamp", "CreatedTimestamp", "LastModifiedTimestamp",
    "SequenceNumber", "SecretVersionsToStages", "Initiated", "Account",
}  # fmt: skip


def plain(value):
    if isinstance(value, dict):
        return {k: plain(v) for k, v in sorted(value.items()) if k not in VOLATILE}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "read"):
        data = value.read()
        return [len(data), hashlib.sha256(data).hexdigest()]
    if isinstance(value, bytes):
        return value.hex()
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def main(megabytes: int) -> None:
    results = {}

    def call(name, function):
        try:
            results[name] = plain(function())
        except botocore.exceptions.ClientError as error:
            answer = error.response
            results[name] = [
                "ClientError",
                answer["Error"].get("Code"),
                answer["Error"].get("Message"),
                answer["ResponseMetadata"]["HTTPStatusCode"],
            ]

    dynamodb = boto3.client("dynamodb")
    call("ddb.create", lambda: dynamodb.create_table(
        TableName="customers", BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}]))  # fmt: skip
    call(
        "ddb.wait",
        lambda: dynamodb.get_waiter("table_exists").wait(TableName="customers"),
    )
    for number in range(5):
        call(f"ddb.put{number}", lambda n=number: dynamodb.put_item(
            TableName="customers",
            Item={"id": {"S": f"c-{n}"}, "name": {"S": f"Zoë {n}"}, "n": {"N": str(n)},
                  "raw": {"B": bytes(range(32))}, "tags": {"SS": ["a", "b"]}}))  # fmt: skip
    call(
        "ddb.get",
        lambda: dynamodb.get_item(TableName="customers", Key={"id": {"S": "c-1"}}),
    )
    call(
        "ddb.get.none",
        lambda: dynamodb.get_item(TableName="customers", Key={"id": {"S": "x"}}),
    )
    call(
        "ddb.get.fault",
        lambda: dynamodb.get_item(TableName="absent", Key={"id": {"S": "x"}}),
    )
    call("ddb.query", lambda: dynamodb.query(
        TableName="customers", KeyConditionExpression="id = :i",
        ExpressionAttributeValues={":i": {"S": "c-2"}}))  # fmt: skip
    call("ddb.pages", lambda: sorted(
        item["id"]["S"]
        for page in dynamodb.get_paginator("scan").paginate(
            TableName="customers", PaginationConfig={"PageSize": 2})
        for item in page["Items"]))  # fmt: skip
    call("ddb.update", lambda: dynamodb.update_item(
        TableName="customers", Key={"id": {"S": "c-1"}}, UpdateExpression="SET n = :n",
        ExpressionAttributeValues={":n": {"N": "42"}}, ReturnValues="ALL_NEW"))  # fmt: skip
    call("ddb.condition", lambda: dynamodb.put_item(
        TableName="customers", Item={"id": {"S": "c-1"}},
        ConditionExpression="attribute_not_exists(id)"))  # fmt: skip
    call("ddb.batch", lambda: dynamodb.batch_get_item(
        RequestItems={"customers": {"Keys": [{"id": {"S": "c-0"}}]}}))  # fmt: skip
    call("ddb.transact", lambda: dynamodb.transact_write_items(TransactItems=[
        {"Put": {"TableName": "customers", "Item": {"id": {"S": "t-1"}}}},
        {"Delete": {"TableName": "customers", "Key": {"id": {"S": "c-4"}}}}]))  # fmt: skip
    call("ddb.partiql", lambda: dynamodb.execute_statement(
        Statement="SELECT id, n FROM customers WHERE id = 'c-3'"))  # fmt: skip
    call(
        "ddb.delete",
        lambda: dynamodb.delete_item(TableName="customers", Key={"id": {"S": "c-0"}}),
    )
    call("ddb.tables", dynamodb.list_tables)

    s3 = boto3.client("s3")
    call("s3.create", lambda: s3.create_bucket(Bucket="ledger-files"))
    keys = ["plain.txt", "a b/../ü+%//x", "dir//double", "per%2Fcent", "q?=&#;"]
    for number, key in enumerate(keys):
        call(f"s3.put{number}", lambda k=key: s3.put_object(
            Bucket="ledger-files", Key=k, Body=f"body of {k}".encode(),
            ContentType="text/plain", Metadata={"who": "agent"}))  # fmt: skip
        call(
            f"s3.get{number}", lambda k=key: s3.get_object(Bucket="ledger-files", Key=k)
        )
    call(
        "s3.put.empty",
        lambda: s3.put_object(Bucket="ledger-files", Key="empty", Body=b""),
    )
    call("s3.head", lambda: s3.head_object(Bucket="ledger-files", Key="plain.txt"))
    call("s3.head.none", lambda: s3.head_object(Bucket="ledger-files", Key="absent"))
    call("s3.get.none", lambda: s3.get_object(Bucket="ledger-files", Key="absent"))
    call(
        "s3.range",
        lambda: s3.get_object(
            Bucket="ledger-files", Key="plain.txt", Range="bytes=2-5"
        ),
    )
    call(
        "s3.range.bad",
        lambda: s3.get_object(
            Bucket="ledger-files", Key="plain.txt", Range="bytes=900-"
        ),
    )
    call("s3.if_none_match", lambda: s3.get_object(
        Bucket="ledger-files", Key="plain.txt",
        IfNoneMatch=s3.head_object(Bucket="ledger-files", Key="plain.txt")["ETag"]))  # fmt: skip
    call("s3.list", lambda: s3.list_objects_v2(Bucket="ledger-files"))
    call("s3.list.v1", lambda: s3.list_objects(Bucket="ledger-files", Delimiter="/"))
    call("s3.copy", lambda: s3.copy_object(
        Bucket="ledger-files", Key="copy", CopySource={"Bucket": "ledger-files", "Key": "plain.txt"}))  # fmt: skip
    call("s3.tag", lambda: s3.put_object_tagging(
        Bucket="ledger-files", Key="copy", Tagging={"TagSet": [{"Key": "k", "Value": "v"}]}))  # fmt: skip
    call("s3.tags", lambda: s3.get_object_tagging(Bucket="ledger-files", Key="copy"))
    call("s3.deletes", lambda: s3.delete_objects(
        Bucket="ledger-files", Delete={"Objects": [{"Key": "copy"}, {"Key": "empty"}]}))  # fmt: skip
    big = hashlib.shake_256(b"gatekeep").digest(1 << 20) * megabytes
    call("s3.upload", lambda: s3.upload_fileobj(io.BytesIO(big), "ledger-files", "big"))
    target = io.BytesIO()
    call("s3.download", lambda: s3.download_fileobj("ledger-files", "big", target))
    results["s3.same"] = (
        hashlib.sha256(target.getvalue()).hexdigest() == hashlib.sha256(big).hexdigest()
    )
    call(
        "s3.put.big",
        lambda: s3.put_object(Bucket="ledger-files", Key="big2", Body=io.BytesIO(big)),
    )
    call("s3.get.big", lambda: s3.get_object(Bucket="ledger-files", Key="big2"))
    call("s3.bucket.none", lambda: s3.list_objects_v2(Bucket="no-such-bucket-here"))

    sqs = boto3.client("sqs")
    call("sqs.create", lambda: sqs.create_queue(QueueName="work"))
    url = sqs.get_queue_url(QueueName="work")["QueueUrl"]
    call("sqs.send", lambda: sqs.send_message(QueueUrl=url, MessageBody="hello é"))
    call("sqs.receive", lambda: sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1))
    call("sqs.fault", lambda: sqs.get_queue_url(QueueName="absent"))

    sts = boto3.client("sts")
    call("sts.identity", sts.get_caller_identity)

    secrets = boto3.client("secretsmanager")
    call("sm.create", lambda: secrets.create_secret(Name="db", SecretString="pa55"))
    call("sm.get", lambda: secrets.get_secret_value(SecretId="db"))
    call("sm.list", secrets.list_secrets)
    call("sm.fault", lambda: secrets.get_secret_value(SecretId="absent"))
    print(json.dumps(results, sort_keys=True))


if __name__ == "__main__":
    main(int(sys.argv[1]))
