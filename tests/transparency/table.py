"""The calls that must give the same directly and through the gateway.

In the form that `agent.py` reads: services with their steps, in order. `BY_HAND`
makes, changes and removes things; `LISTS` are what needs no parameters, by name.
"""

from __future__ import annotations

from typing import Any

Step = list[Any]


def step(operation: str, /, how: str = "call", keep: Any = None, **given: Any) -> Step:
    options = {"how": how, **({"keep": keep} if keep else {})}
    return [operation, given, options]


ROLE = "arn:aws:iam::123456789012:role/worker"
TRUST = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow",'
    '"Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
)
GRANT = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow",'
    '"Action":"s3:GetObject","Resource":"*"}]}'
)
MACHINE = '{"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}}'
TAGS = [{"Key": "team", "Value": "data & <Zoë>"}]
KEY = {"TableName": "people", "Key": {"id": {"S": "p-1"}}}
ITEM = {
    "id": {"S": "p-1"}, "name": {"S": "Zoë \u2028 \"x\""}, "n": {"N": "1.50"},
    "raw": {"B": {"$bytes": "00ff10"}}, "set": {"SS": ["a", "b"]},
    "deep": {"M": {"l": {"L": [{"NULL": True}, {"BOOL": False}]}}},
}  # fmt: skip

DYNAMODB = [
    step("CreateTable", TableName="people", BillingMode="PAY_PER_REQUEST",
         KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
         AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
         StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
         keep={"table": "TableDescription.TableArn"}),
    step("table_exists", "wait", TableName="people"),
    step("PutItem", TableName="people", Item=ITEM),
    step("PutItem", TableName="people", Item={"id": {"S": "p-2"}}),
    step("PutItem", TableName="people", Item={"id": {"S": "p-1"}},
         ConditionExpression="attribute_not_exists(id)"),
    step("GetItem", **KEY),
    step("GetItem", TableName="absent", Key=KEY["Key"]),
    step("UpdateItem", **KEY, UpdateExpression="SET n = :n", ReturnValues="ALL_NEW",
         ExpressionAttributeValues={":n": {"N": "2"}}),
    step("Query", TableName="people", KeyConditionExpression="id = :i",
         ExpressionAttributeValues={":i": {"S": "p-2"}}),
    step("Scan", "pages", TableName="people", PaginationConfig={"PageSize": 1}),
    step("BatchWriteItem", RequestItems={"people": [
        {"PutRequest": {"Item": {"id": {"S": f"b-{n}"}}}} for n in range(5)]}),
    step("BatchGetItem", RequestItems={"people": {"Keys": [{"id": {"S": "b-1"}}]}}),
    step("TransactWriteItems", TransactItems=[
        {"Put": {"TableName": "people", "Item": {"id": {"S": "t-1"}}}}]),
    step("TransactGetItems", TransactItems=[{"Get": KEY}]),
    step("ExecuteStatement", Statement="SELECT id FROM people WHERE id = 'p-2'"),
    step("BatchExecuteStatement", Statements=[
        {"Statement": "SELECT id FROM people WHERE id = 'p-1'"}]),
    step("DescribeTable", TableName="people"),
    step("UpdateTimeToLive", TableName="people", TimeToLiveSpecification={
        "Enabled": True, "AttributeName": "ttl"}),
    step("DescribeTimeToLive", TableName="people"),
    step("DescribeContinuousBackups", TableName="people"),
    step("TagResource", ResourceArn="${table}", Tags=TAGS),
    step("ListTagsOfResource", ResourceArn="${table}"),
    step("UntagResource", ResourceArn="${table}", TagKeys=["team"]),
    step("CreateBackup", TableName="people", BackupName="nightly",
         keep={"backup": "BackupDetails.BackupArn"}),
    step("DescribeBackup", BackupArn="${backup}"),
    step("DeleteBackup", BackupArn="${backup}"),
    step("DeleteItem", TableName="people", Key={"id": {"S": "p-2"}}),
    step("DeleteTable", TableName="people"),
    step("table_not_exists", "wait", TableName="people"),
]  # fmt: skip

IN = {"Bucket": "files"}
AT = {"Bucket": "files", "Key": "a b/../ü+%//x"}
S3 = [
    step("CreateBucket", **IN),
    step("bucket_exists", "wait", **IN),
    step("HeadBucket", **IN),
    step("GetBucketLocation", **IN),
    step("PutBucketVersioning", **IN, VersioningConfiguration={"Status": "Enabled"}),
    step("GetBucketVersioning", **IN),
    step("PutObject", **AT, Body={"$upload": 4}, ContentType="text/plain",
         Metadata={"who": "agent"}, CacheControl="max-age=3"),
    step("PutObject", **IN, Key="empty", Body=""),
    step("PutObject", **IN, Key="data.csv", Body="id,name\n1,Ann\n2,Bob\n"),
    step("HeadObject", **AT, keep={"etag": "ETag"}),
    step("HeadObject", **IN, Key="absent"),
    step("object_exists", "wait", **AT),
    step("GetObject", **AT),
    step("GetObject", **IN, Key="empty"),
    step("GetObject", **IN, Key="absent"),
    step("GetObject", **AT, Range="bytes=2-9"),
    step("GetObject", **AT, Range="bytes=-3"),
    step("GetObject", **AT, Range="bytes=900-"),
    step("GetObject", **AT, IfNoneMatch="${etag}"),
    step("GetObject", **AT, IfMatch='"other"'),
    step("GetObject", **AT, ResponseContentType="text/x", ChecksumMode="ENABLED"),
    step("CopyObject", **IN, Key="copy", CopySource={**AT}),
    step("GetObjectAttributes", **IN, Key="copy", ObjectAttributes=["ETag", "ObjectSize"]),
    step("PutObjectTagging", **IN, Key="copy", Tagging={"TagSet": TAGS}),
    step("GetObjectTagging", **IN, Key="copy"),
    step("DeleteObjectTagging", **IN, Key="copy"),
    step("PutObjectAcl", **IN, Key="copy", ACL="private"),
    step("GetObjectAcl", **IN, Key="copy"),
    step("ListObjectsV2", "pages", **IN, PaginationConfig={"PageSize": 1}),
    step("ListObjectsV2", **IN, Prefix="a b/", Delimiter="/", EncodingType="url"),
    step("ListObjects", **IN),
    step("ListObjectVersions", **IN),
    step("CreateMultipartUpload", **IN, Key="big", keep={"upload": "UploadId"}),
    step("UploadPart", **IN, Key="big", UploadId="${upload}", PartNumber=1,
         Body={"$upload": 655360}, keep={"part": "ETag"}),
    step("UploadPart", **IN, Key="big", UploadId="${upload}", PartNumber=2,
         Body="end", keep={"last": "ETag"}),
    step("UploadPartCopy", **IN, Key="big", UploadId="${upload}", PartNumber=3,
         CopySource={**IN, "Key": "data.csv"}, keep={"copied": "CopyPartResult.ETag"}),
    step("ListParts", **IN, Key="big", UploadId="${upload}"),
    step("ListMultipartUploads", **IN),
    step("CompleteMultipartUpload", **IN, Key="big", UploadId="${upload}",
         MultipartUpload={"Parts": [
             {"PartNumber": 1, "ETag": "${part}"}, {"PartNumber": 2, "ETag": "${last}"}]}),
    step("GetObject", **IN, Key="big"),
    step("GetObject", **IN, Key="big", PartNumber=2),
    step("CreateMultipartUpload", **IN, Key="gone", keep={"upload2": "UploadId"}),
    step("AbortMultipartUpload", **IN, Key="gone", UploadId="${upload2}"),
    step("SelectObjectContent", **IN, Key="data.csv", ExpressionType="SQL",
         Expression="SELECT * FROM s3object", OutputSerialization={"JSON": {}},
         InputSerialization={"CSV": {"FileHeaderInfo": "USE"}}),
    step("PutBucketTagging", **IN, Tagging={"TagSet": TAGS}),
    step("GetBucketTagging", **IN),
    step("DeleteBucketTagging", **IN),
    step("PutBucketPolicy", **IN, Policy=TRUST),
    step("GetBucketPolicy", **IN),
    step("DeleteBucketPolicy", **IN),
    step("PutBucketCors", **IN, CORSConfiguration={"CORSRules": [
        {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]}),
    step("GetBucketCors", **IN),
    step("DeleteBucketCors", **IN),
    step("PutBucketLifecycleConfiguration", **IN, LifecycleConfiguration={"Rules": [
        {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": "x"},
         "Expiration": {"Days": 3}}]}),
    step("GetBucketLifecycleConfiguration", **IN),
    step("DeleteBucketLifecycle", **IN),
    step("PutBucketEncryption", **IN, ServerSideEncryptionConfiguration={"Rules": [
        {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}),
    step("GetBucketEncryption", **IN),
    step("DeleteBucketEncryption", **IN),
    step("PutPublicAccessBlock", **IN, PublicAccessBlockConfiguration={
        "BlockPublicAcls": True}),
    step("GetPublicAccessBlock", **IN),
    step("DeletePublicAccessBlock", **IN),
    step("PutBucketWebsite", **IN, WebsiteConfiguration={
        "IndexDocument": {"Suffix": "index.html"}}),
    step("GetBucketWebsite", **IN),
    step("DeleteBucketWebsite", **IN),
    step("PutBucketOwnershipControls", **IN, OwnershipControls={"Rules": [
        {"ObjectOwnership": "BucketOwnerEnforced"}]}),
    step("GetBucketOwnershipControls", **IN),
    step("GetBucketAcl", **IN),
    step("GetBucketLogging", **IN),
    step("GetBucketNotificationConfiguration", **IN),
    step("GetBucketReplication", **IN),
    step("GetBucketRequestPayment", **IN),
    step("GetBucketAccelerateConfiguration", **IN),
    step("GetObjectLockConfiguration", **IN),
    step("DeleteObject", **IN, Key="copy"),
    step("DeleteObjects", **IN, Delete={"Objects": [{"Key": "big"}, {"Key": "<&>"}]}),
    step("ListBuckets"),
    step("DeleteBucket", **IN),
    step("ListObjectsV2", Bucket="no-such-bucket-of-ours"),
]  # fmt: skip

QUEUE = {"QueueUrl": "${queue}"}
SQS = [
    step("CreateQueue", QueueName="work", Attributes={"DelaySeconds": "0"},
         tags={"team": "data"}, keep={"queue": "QueueUrl"}),
    step("GetQueueUrl", QueueName="work"),
    step("GetQueueUrl", QueueName="absent"),
    step("ReceiveMessage", **QUEUE, WaitTimeSeconds=2),
    step("SendMessage", **QUEUE, MessageBody="hello é <&>", MessageAttributes={
        "kind": {"DataType": "String", "StringValue": "x"}}),
    step("SendMessageBatch", **QUEUE, Entries=[
        {"Id": "a", "MessageBody": "one"}, {"Id": "b", "MessageBody": "two"}]),
    step("ReceiveMessage", **QUEUE, WaitTimeSeconds=1, MessageAttributeNames=["All"],
         MaxNumberOfMessages=1, keep={"receipt": "Messages.0.ReceiptHandle"}),
    step("ChangeMessageVisibility", **QUEUE, ReceiptHandle="${receipt}",
         VisibilityTimeout=1),
    step("DeleteMessage", **QUEUE, ReceiptHandle="${receipt}"),
    step("SetQueueAttributes", **QUEUE, Attributes={"DelaySeconds": "1"}),
    step("GetQueueAttributes", **QUEUE, AttributeNames=["All"]),
    step("TagQueue", **QUEUE, Tags={"a": "b"}),
    step("ListQueueTags", **QUEUE),
    step("UntagQueue", **QUEUE, TagKeys=["a"]),
    step("ListQueues"),
    step("PurgeQueue", **QUEUE),
    step("DeleteQueue", **QUEUE),
]  # fmt: skip

TOPIC = {"TopicArn": "${topic}"}
SNS = [
    step("CreateTopic", Name="news", Tags=TAGS, keep={"topic": "TopicArn"}),
    step("Subscribe", **TOPIC, Protocol="email", Endpoint="a@example.com",
         ReturnSubscriptionArn=True, keep={"subscription": "SubscriptionArn"}),
    step("ListSubscriptionsByTopic", **TOPIC),
    step("GetSubscriptionAttributes", SubscriptionArn="${subscription}"),
    step("Publish", **TOPIC, Message="hi <&>", Subject="s", MessageAttributes={
        "k": {"DataType": "String", "StringValue": "v"}}),
    step("PublishBatch", **TOPIC, PublishBatchRequestEntries=[
        {"Id": "1", "Message": "x"}]),
    step("SetTopicAttributes", **TOPIC, AttributeName="DisplayName", AttributeValue="N"),
    step("GetTopicAttributes", **TOPIC),
    step("ListTagsForResource", ResourceArn="${topic}"),
    step("Unsubscribe", SubscriptionArn="${subscription}"),
    step("DeleteTopic", **TOPIC),
    step("GetTopicAttributes", **TOPIC),
]  # fmt: skip

EC2 = [
    step("CreateVpc", CidrBlock="10.0.0.0/16", keep={"vpc": "Vpc.VpcId"}),
    step("CreateSubnet", VpcId="${vpc}", CidrBlock="10.0.1.0/24",
         AvailabilityZone="us-east-1a", keep={"subnet": "Subnet.SubnetId"}),
    step("CreateSecurityGroup", GroupName="g", Description="d", VpcId="${vpc}",
         keep={"group": "GroupId"}),
    step("AuthorizeSecurityGroupIngress", GroupId="${group}", IpPermissions=[
        {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443,
         "IpRanges": [{"CidrIp": "10.0.0.0/8"}, {"CidrIp": "192.168.0.0/16"}]}]),
    step("RevokeSecurityGroupIngress", GroupId="${group}", IpPermissions=[
        {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443,
         "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]),
    step("DescribeSecurityGroupRules"),
    step("RunInstances", ImageId="ami-12c6146b", MinCount=1, MaxCount=1,
         InstanceType="t3.micro", SubnetId="${subnet}", SecurityGroupIds=["${group}"],
         TagSpecifications=[{"ResourceType": "instance", "Tags": TAGS}],
         keep={"instance": "Instances.0.InstanceId"}),
    step("instance_running", "wait", InstanceIds=["${instance}"]),
    step("DescribeInstances", Filters=[
        {"Name": "tag:team", "Values": ["data & <Zoë>"]}]),
    step("DescribeInstanceStatus", InstanceIds=["${instance}"]),
    step("DescribeInstanceAttribute", InstanceId="${instance}", Attribute="instanceType"),
    step("StopInstances", InstanceIds=["${instance}"]),
    step("StartInstances", InstanceIds=["${instance}"]),
    step("RebootInstances", InstanceIds=["${instance}"]),
    step("CreateTags", Resources=["${instance}"], Tags=[{"Key": "a", "Value": "b"}]),
    step("DescribeTags"),
    step("DeleteTags", Resources=["${instance}"], Tags=[{"Key": "a"}]),
    step("CreateVolume", Size=1, AvailabilityZone="us-east-1a",
         keep={"volume": "VolumeId"}),
    step("AttachVolume", VolumeId="${volume}", InstanceId="${instance}", Device="/dev/sdh"),
    step("DetachVolume", VolumeId="${volume}", InstanceId="${instance}", Device="/dev/sdh"),
    step("CreateSnapshot", VolumeId="${volume}", keep={"snapshot": "SnapshotId"}),
    step("DeleteSnapshot", SnapshotId="${snapshot}"),
    step("DeleteVolume", VolumeId="${volume}"),
    step("CreateInternetGateway", keep={"igw": "InternetGateway.InternetGatewayId"}),
    step("AttachInternetGateway", InternetGatewayId="${igw}", VpcId="${vpc}"),
    step("DetachInternetGateway", InternetGatewayId="${igw}", VpcId="${vpc}"),
    step("DeleteInternetGateway", InternetGatewayId="${igw}"),
    step("AllocateAddress", Domain="vpc", keep={"address": "AllocationId"}),
    step("ReleaseAddress", AllocationId="${address}"),
    step("TerminateInstances", InstanceIds=["${instance}"]),
    step("DescribeInstances", InstanceIds=["i-00000000000000000"]),
    step("DescribeVpcs", "pages"),
    step("DescribeSubnets", SubnetIds=["${subnet}"]),
    step("DescribeRegions"),
    step("DescribeAvailabilityZones"),
]  # fmt: skip

IAM = [
    step("CreateUser", UserName="ann", Path="/staff/", Tags=TAGS),
    step("GetUser", UserName="ann"),
    step("GetUser", UserName="absent"),
    step("ListUserTags", UserName="ann"),
    step("UpdateUser", UserName="ann", NewPath="/team/"),
    step("CreateGroup", GroupName="dev"),
    step("AddUserToGroup", GroupName="dev", UserName="ann"),
    step("GetGroup", GroupName="dev"),
    step("ListGroupsForUser", UserName="ann"),
    step("RemoveUserFromGroup", GroupName="dev", UserName="ann"),
    step("DeleteGroup", GroupName="dev"),
    step("CreateRole", RoleName="worker", AssumeRolePolicyDocument=TRUST),
    step("role_exists", "wait", RoleName="worker"),
    step("GetRole", RoleName="worker"),
    step("PutRolePolicy", RoleName="worker", PolicyName="p", PolicyDocument=GRANT),
    step("GetRolePolicy", RoleName="worker", PolicyName="p"),
    step("ListRolePolicies", RoleName="worker"),
    step("CreatePolicy", PolicyName="read", PolicyDocument=GRANT,
         keep={"policy": "Policy.Arn"}),
    step("AttachRolePolicy", RoleName="worker", PolicyArn="${policy}"),
    step("ListAttachedRolePolicies", RoleName="worker"),
    step("GetPolicyVersion", PolicyArn="${policy}", VersionId="v1"),
    step("DetachRolePolicy", RoleName="worker", PolicyArn="${policy}"),
    step("ListRoles", "pages"),
    step("DeleteUser", UserName="ann"),
]  # fmt: skip

KMS = [
    step("CreateKey", Description="d", keep={"key": "KeyMetadata.KeyId"}),
    step("CreateAlias", AliasName="alias/k", TargetKeyId="${key}"),
    step("DescribeKey", KeyId="alias/k"),
    step("Encrypt", KeyId="${key}", Plaintext={"$bytes": "68656c6c6f"},
         keep={"cipher": "CiphertextBlob"}),
    step("Decrypt", CiphertextBlob="${cipher}"),
    step("ReEncrypt", CiphertextBlob="${cipher}", DestinationKeyId="${key}"),
    step("EnableKeyRotation", KeyId="${key}"),
    step("GetKeyRotationStatus", KeyId="${key}"),
    step("GetKeyPolicy", KeyId="${key}", PolicyName="default"),
    step("TagResource", KeyId="${key}", Tags=[{"TagKey": "a", "TagValue": "b"}]),
    step("ListResourceTags", KeyId="${key}"),
    step("DisableKey", KeyId="${key}"),
    step("EnableKey", KeyId="${key}"),
    step("ScheduleKeyDeletion", KeyId="${key}", PendingWindowInDays=7),
    step("DescribeKey", KeyId="00000000-0000-0000-0000-000000000000"),
]  # fmt: skip

SECRETS = [
    step("CreateSecret", Name="db", SecretString="pa55 <&>"),
    step("GetSecretValue", SecretId="db"),
    step("PutSecretValue", SecretId="db", SecretBinary={"$bytes": "00ff"}),
    step("GetSecretValue", SecretId="db"),
    step("DescribeSecret", SecretId="db"),
    step("ListSecretVersionIds", SecretId="db"),
    step("UpdateSecret", SecretId="db", SecretString="x"),
    step("TagResource", SecretId="db", Tags=TAGS),
    step("GetResourcePolicy", SecretId="db"),
    step("DeleteSecret", SecretId="db"),
    step("RestoreSecret", SecretId="db"),
    step("GetSecretValue", SecretId="absent"),
]  # fmt: skip

SSM = [
    step("PutParameter", Name="/app/db", Value="h", Type="SecureString"),
    step("PutParameter", Name="/app/n", Value="1", Type="String"),
    step("GetParameter", Name="/app/db", WithDecryption=True),
    step("GetParameters", Names=["/app/db", "/app/none"]),
    step("GetParametersByPath", "pages", Path="/app", PaginationConfig={"PageSize": 1}),
    step("GetParameterHistory", Name="/app/n"),
    step("LabelParameterVersion", Name="/app/n", Labels=["prod"]),
    step("AddTagsToResource", ResourceType="Parameter", ResourceId="/app/n", Tags=TAGS),
    step("ListTagsForResource", ResourceType="Parameter", ResourceId="/app/n"),
    step("DeleteParameter", Name="/app/n"),
    step("DeleteParameters", Names=["/app/db"]),
    step("GetParameter", Name="/app/none"),
]  # fmt: skip

LOGS = [
    step("CreateLogGroup", logGroupName="/app"),
    step("CreateLogStream", logGroupName="/app", logStreamName="s"),
    step("PutRetentionPolicy", logGroupName="/app", retentionInDays=7),
    step("DescribeLogStreams", logGroupName="/app"),
    step("FilterLogEvents", logGroupName="/app"),
    step("GetLogEvents", logGroupName="/app", logStreamName="s"),
    step("DeleteLogStream", logGroupName="/app", logStreamName="s"),
    step("DeleteLogGroup", logGroupName="/app"),
    step("DeleteLogGroup", logGroupName="/app"),
]  # fmt: skip

EVENTS = [
    step("PutRule", Name="r", ScheduleExpression="rate(5 minutes)"),
    step("PutTargets", Rule="r", Targets=[
        {"Id": "1", "Arn": "arn:aws:sqs:us-east-1:123456789012:work"}]),
    step("ListTargetsByRule", Rule="r"),
    step("DescribeRule", Name="r"),
    step("DisableRule", Name="r"),
    step("EnableRule", Name="r"),
    step("PutEvents", Entries=[{"Source": "a", "DetailType": "b", "Detail": "{}"}]),
    step("RemoveTargets", Rule="r", Ids=["1"]),
    step("DeleteRule", Name="r"),
]  # fmt: skip

STATES = [
    step("CreateStateMachine", name="m", definition=MACHINE, roleArn=ROLE,
         keep={"machine": "stateMachineArn"}),
    step("DescribeStateMachine", stateMachineArn="${machine}"),
    step("StartExecution", stateMachineArn="${machine}", name="e", input="{}",
         keep={"execution": "executionArn"}),
    step("DescribeExecution", executionArn="${execution}"),
    step("ListExecutions", stateMachineArn="${machine}"),
    step("GetExecutionHistory", executionArn="${execution}"),
    step("DeleteStateMachine", stateMachineArn="${machine}"),
    step("CreateActivity", name="act", keep={"activity": "activityArn"}),
]  # fmt: skip

KINESIS = [
    step("CreateStream", StreamName="s", ShardCount=1),
    step("stream_exists", "wait", StreamName="s"),
    step("PutRecord", StreamName="s", Data={"$bytes": "00ff41"}, PartitionKey="p"),
    step("PutRecords", StreamName="s", Records=[
        {"Data": {"$bytes": "41"}, "PartitionKey": "p"}]),
    step("ListShards", StreamName="s"),
    step("GetShardIterator", StreamName="s", ShardId="shardId-000000000000",
         ShardIteratorType="TRIM_HORIZON", keep={"iterator": "ShardIterator"}),
    step("GetRecords", ShardIterator="${iterator}"),
    step("DescribeStreamSummary", StreamName="s"),
    step("AddTagsToStream", StreamName="s", Tags={"a": "b"}),
    step("ListTagsForStream", StreamName="s"),
    step("DeleteStream", StreamName="s"),
]  # fmt: skip

METRIC = {"Namespace": "app", "MetricName": "m"}
SINCE = {"StartTime": "2026-01-01T00:00:00Z", "EndTime": "2026-01-01T01:00:00Z"}
CLOUDWATCH = [
    step("PutMetricData", Namespace="app", MetricData=[
        {"MetricName": "m", "Value": 1.5, "Unit": "Count", "Dimensions": [
            {"Name": "host", "Value": "h"}]}]),
    # More than 10 KiB: boto3 sends it with gzip.
    step("PutMetricData", Namespace="app", MetricData=[
        {"MetricName": f"metric-{n:05}", "Value": n, "Unit": "Count"}
        for n in range(300)]),
    step("ListMetrics", "pages"),
    step("GetMetricStatistics", **METRIC, **SINCE, Period=60, Statistics=["Sum"]),
    step("PutMetricAlarm", **METRIC, AlarmName="a", ComparisonOperator="LessThanThreshold",
         EvaluationPeriods=1, Period=60, Statistic="Sum", Threshold=1.0),
    step("DescribeAlarms"),
    step("SetAlarmState", AlarmName="a", StateValue="OK", StateReason="r"),
    step("PutDashboard", DashboardName="d", DashboardBody='{"widgets":[]}'),
    step("GetDashboard", DashboardName="d"),
    step("DeleteDashboards", DashboardNames=["d"]),
    step("DeleteAlarms", AlarmNames=["a"]),
]  # fmt: skip

LAMBDA = [
    step("CreateFunction", FunctionName="f", Runtime="python3.12", Role=ROLE,
         Handler="m.h", Code={"ZipFile": {"$bytes": "504b0506" + "00" * 18}}),
    step("GetFunction", FunctionName="f"),
    step("GetFunctionConfiguration", FunctionName="f"),
    step("UpdateFunctionConfiguration", FunctionName="f", Timeout=9),
    step("PublishVersion", FunctionName="f"),
    step("CreateAlias", FunctionName="f", Name="live", FunctionVersion="1"),
    step("GetAlias", FunctionName="f", Name="live"),
    step("ListVersionsByFunction", FunctionName="f"),
    step("AddPermission", FunctionName="f", StatementId="s", Action="lambda:Invoke",
         Principal="s3.amazonaws.com"),
    step("GetPolicy", FunctionName="f"),
    step("PutFunctionConcurrency", FunctionName="f", ReservedConcurrentExecutions=3),
    step("GetFunctionConcurrency", FunctionName="f"),
    step("TagResource", Resource="arn:aws:lambda:us-east-1:123456789012:function:f",
         Tags={"a": "b"}),
    step("ListTags", Resource="arn:aws:lambda:us-east-1:123456789012:function:f"),
    step("DeleteFunction", FunctionName="f"),
    step("GetFunction", FunctionName="f"),
]  # fmt: skip

ROUTE53 = [
    step("CreateHostedZone", Name="example.com.", CallerReference="r",
         keep={"zone": "HostedZone.Id"}),
    step("GetHostedZone", Id="${zone}"),
    step("ChangeResourceRecordSets", HostedZoneId="${zone}", ChangeBatch={"Changes": [
        {"Action": "UPSERT", "ResourceRecordSet": {
            "Name": "a.example.com.", "Type": "A", "TTL": 60,
            "ResourceRecords": [{"Value": "192.0.2.1"}]}}]}),
    step("ListResourceRecordSets", "pages", HostedZoneId="${zone}"),
    step("CreateHealthCheck", CallerReference="h", HealthCheckConfig={
        "Type": "TCP", "IPAddress": "192.0.2.1", "Port": 80},
        keep={"check": "HealthCheck.Id"}),
    step("GetHealthCheck", HealthCheckId="${check}"),
    step("DeleteHealthCheck", HealthCheckId="${check}"),
    step("ListHostedZonesByName", DNSName="example.com."),
    step("GetHostedZone", Id="ZABSENT"),
]  # fmt: skip

APIGATEWAY = [
    step("CreateRestApi", name="api", keep={"api": "id"}),
    step("GetRestApi", restApiId="${api}"),
    step("GetResources", restApiId="${api}", keep={"root": "items.0.id"}),
    step("CreateResource", restApiId="${api}", parentId="${root}", pathPart="x",
         keep={"part": "id"}),
    step("PutMethod", restApiId="${api}", resourceId="${part}", httpMethod="GET",
         authorizationType="NONE"),
    step("GetMethod", restApiId="${api}", resourceId="${part}", httpMethod="GET"),
    step("UpdateRestApi", restApiId="${api}", patchOperations=[
        {"op": "replace", "path": "/name", "value": "other"}]),
    step("CreateApiKey", name="k"),
    step("DeleteRestApi", restApiId="${api}"),
    step("GetRestApi", restApiId="${api}"),
]  # fmt: skip

MORE: list[tuple[str, list[Step]]] = [
    ("firehose", [
        step("CreateDeliveryStream", DeliveryStreamName="d", S3DestinationConfiguration={
            "RoleARN": ROLE, "BucketARN": "arn:aws:s3:::files"}),
        step("PutRecord", DeliveryStreamName="absent", Record={"Data": {"$bytes": "41"}}),
        step("DescribeDeliveryStream", DeliveryStreamName="d"),
        step("DeleteDeliveryStream", DeliveryStreamName="d"),
    ]),
    ("cloudformation", [
        step("CreateStack", StackName="s", TemplateBody='{"Resources":{"Q":'
             '{"Type":"AWS::SQS::Queue"}}}'),
        step("stack_create_complete", "wait", StackName="s"),
        step("DescribeStackResources", StackName="s"),
        step("GetTemplate", StackName="s"),
        step("ListStackResources", StackName="s"),
        step("DeleteStack", StackName="s"),
        step("DescribeStacks", StackName="absent"),
    ]),
    ("ecs", [
        step("CreateCluster", clusterName="c"),
        step("RegisterTaskDefinition", family="t", containerDefinitions=[
            {"name": "a", "image": "busybox", "memory": 64}]),
        step("DescribeTaskDefinition", taskDefinition="t"),
        step("CreateService", cluster="c", serviceName="s", taskDefinition="t",
             desiredCount=1),
        step("DescribeServices", cluster="c", services=["s"]),
        step("UpdateService", cluster="c", service="s", desiredCount=0),
        step("ListServices", cluster="c"),
        step("DeleteService", cluster="c", service="s", force=True),
        step("DeleteCluster", cluster="c"),
    ]),
    ("ecr", [
        step("CreateRepository", repositoryName="team/app"),
        step("DescribeRepositories", repositoryNames=["team/app"]),
        step("PutLifecyclePolicy", repositoryName="team/app",
             lifecyclePolicyText='{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any",'
             '"countType":"imageCountMoreThan","countNumber":5},"action":'
             '{"type":"expire"}}]}'),
        step("ListImages", repositoryName="team/app"),
        step("DescribeImages", repositoryName="team/app"),
        step("DeleteRepository", repositoryName="team/app"),
    ]),
    ("rds", [
        step("CreateDBInstance", DBInstanceIdentifier="d", DBInstanceClass="db.t3.micro",
             Engine="postgres", AllocatedStorage=20, MasterUsername="u",
             MasterUserPassword="password1"),
        step("db_instance_available", "wait", DBInstanceIdentifier="d"),
        step("CreateDBSnapshot", DBSnapshotIdentifier="x", DBInstanceIdentifier="d"),
        step("ListTagsForResource", ResourceName="arn:aws:rds:us-east-1:123456789012:db:d"),
        step("StopDBInstance", DBInstanceIdentifier="d"),
        step("DescribeDBInstances", DBInstanceIdentifier="absent"),
        step("DeleteDBInstance", DBInstanceIdentifier="d", SkipFinalSnapshot=True),
    ]),
    ("elbv2", [
        step("CreateTargetGroup", Name="t", Protocol="HTTP", Port=80,
             VpcId="${vpc}", keep={"targets": "TargetGroups.0.TargetGroupArn"}),
        step("DescribeTargetGroupAttributes", TargetGroupArn="${targets}"),
        step("DescribeTargetHealth", TargetGroupArn="${targets}"),
        step("DeleteTargetGroup", TargetGroupArn="${targets}"),
    ]),
    ("autoscaling", [
        step("CreateLaunchConfiguration", LaunchConfigurationName="l",
             ImageId="ami-12c6146b", InstanceType="t3.micro"),
        step("CreateAutoScalingGroup", AutoScalingGroupName="g", MinSize=0, MaxSize=1,
             LaunchConfigurationName="l", AvailabilityZones=["us-east-1a"]),
        step("SetDesiredCapacity", AutoScalingGroupName="g", DesiredCapacity=0),
        step("DeleteAutoScalingGroup", AutoScalingGroupName="g", ForceDelete=True),
    ]),
    ("cognito-idp", [
        step("CreateUserPool", PoolName="p", keep={"pool": "UserPool.Id"}),
        step("DescribeUserPool", UserPoolId="${pool}"),
        step("CreateUserPoolClient", UserPoolId="${pool}", ClientName="c"),
        step("AdminCreateUser", UserPoolId="${pool}", Username="ann"),
        step("AdminGetUser", UserPoolId="${pool}", Username="ann"),
        step("ListUsers", UserPoolId="${pool}"),
        step("CreateGroup", UserPoolId="${pool}", GroupName="g"),
        step("ListGroups", UserPoolId="${pool}"),
        step("DeleteUserPool", UserPoolId="${pool}"),
    ]),
    ("glue", [
        step("CreateDatabase", DatabaseInput={"Name": "d"}),
        step("GetDatabase", Name="d"),
        step("CreateTable", DatabaseName="d", TableInput={"Name": "t"}),
        step("GetTable", DatabaseName="d", Name="t"),
        step("GetTables", "pages", DatabaseName="d"),
        step("DeleteTable", DatabaseName="d", Name="t"),
        step("DeleteDatabase", Name="d"),
        step("GetDatabase", Name="d"),
    ]),
    ("athena", [
        step("CreateWorkGroup", Name="w"),
        step("GetWorkGroup", WorkGroup="w"),
        step("StartQueryExecution", QueryString="SELECT 1", WorkGroup="w",
             keep={"query": "QueryExecutionId"}),
        step("GetQueryExecution", QueryExecutionId="${query}"),
        step("StopQueryExecution", QueryExecutionId="${query}"),
        step("CreateNamedQuery", Name="n", Database="d", QueryString="SELECT 1"),
    ]),
    ("ses", [
        step("VerifyEmailIdentity", EmailAddress="a@example.com"),
        step("SendEmail", Source="a@example.com", Destination={
            "ToAddresses": ["b@example.com"]}, Message={
            "Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}}}),
    ]),
    ("sesv2", [
        step("CreateEmailIdentity", EmailIdentity="example.com"),
        step("GetEmailIdentity", EmailIdentity="example.com"),
        step("DeleteEmailIdentity", EmailIdentity="example.com"),
    ]),
    ("eks", [
        step("CreateCluster", name="c", roleArn=ROLE, resourcesVpcConfig={
            "subnetIds": ["${subnet}"]}),
        step("DescribeCluster", name="c"),
        step("ListNodegroups", clusterName="c"),
        step("DeleteCluster", name="c"),
        step("DescribeCluster", name="c"),
    ]),
    ("wafv2", [
        step("CreateIPSet", Name="i", Scope="REGIONAL", IPAddressVersion="IPV4",
             Addresses=["192.0.2.0/24"]),
        step("ListIPSets", Scope="REGIONAL"),
    ]),
    ("scheduler", [
        step("CreateScheduleGroup", Name="g"),
        step("GetScheduleGroup", Name="g"),
        step("DeleteScheduleGroup", Name="g"),
        step("GetSchedule", Name="absent"),
    ]),
    ("efs", [
        step("CreateFileSystem", CreationToken="t", keep={"fs": "FileSystemId"}),
        step("DescribeLifecycleConfiguration", FileSystemId="${fs}"),
        step("DeleteFileSystem", FileSystemId="${fs}"),
    ]),
    ("xray", [
        step("PutTraceSegments", TraceSegmentDocuments=["{}"]),
    ]),
    ("iot", [
        step("CreateThing", thingName="t"),
        step("DescribeThing", thingName="t"),
        step("UpdateThing", thingName="t", attributePayload={"attributes": {"a": "b"}}),
        step("DeleteThing", thingName="t"),
    ]),
    ("cloudfront", [
        step("GetDistribution", Id="ABSENT"),
    ]),
]  # fmt: skip

BY_HAND: list[tuple[str, list[Step]]] = [
    ("dynamodb", DYNAMODB),
    ("s3", S3),
    ("sqs", SQS),
    ("sns", SNS),
    ("ec2", EC2),
    ("iam", IAM),
    ("kms", KMS),
    ("secretsmanager", SECRETS),
    ("ssm", SSM),
    ("logs", LOGS),
    ("events", EVENTS),
    ("stepfunctions", STATES),
    ("kinesis", KINESIS),
    ("cloudwatch/json", CLOUDWATCH),
    ("cloudwatch/query", CLOUDWATCH),
    ("sqs/query", [step("ListQueues"), step("GetQueueUrl", QueueName="absent")]),
    ("lambda", LAMBDA),
    ("route53", ROUTE53),
    ("apigateway", APIGATEWAY),
    *MORE,
]

LISTS = """
acm: GetAccountConfiguration ListCertificates
apigateway: GetAccount GetApiKeys GetDomainNames GetRestApis GetUsagePlans GetVpcLinks
apigatewayv2: GetApis GetDomainNames GetVpcLinks
appsync: ListApis ListGraphqlApis
athena: ListCapacityReservations ListDataCatalogs ListNamedQueries ListQueryExecutions
  ListWorkGroups
autoscaling: DescribeAutoScalingGroups DescribeAutoScalingInstances
  DescribeLaunchConfigurations DescribePolicies DescribeScalingActivities
  DescribeScheduledActions DescribeTags
batch: DescribeComputeEnvironments DescribeJobDefinitions DescribeJobQueues ListJobs
  ListSchedulingPolicies
bedrock: GetModelInvocationLoggingConfiguration ListCustomModels
  ListModelCustomizationJobs
bedrock-agent: ListAgents ListKnowledgeBases
bedrock-agentcore-control: ListAgentRuntimes ListGateways ListMemories
cleanrooms: ListCollaborations ListConfiguredTables ListMemberships
clouddirectory: ListDevelopmentSchemaArns ListDirectories ListPublishedSchemaArns
cloudhsmv2: DescribeBackups DescribeClusters GetResourcePolicy
cloudtrail: DescribeTrails ListTrails
cloudwatch: DescribeAlarms DescribeInsightRules ListDashboards ListMetrics
codebuild: ListBuilds ListProjects
codedeploy: ListApplications ListDeployments
comprehend: ListDocumentClassificationJobs ListDocumentClassifiers
  ListDominantLanguageDetectionJobs ListEndpoints ListEntitiesDetectionJobs
  ListEntityRecognizers ListEventsDetectionJobs ListFlywheels
  ListKeyPhrasesDetectionJobs ListPiiEntitiesDetectionJobs ListSentimentDetectionJobs
  ListTargetedSentimentDetectionJobs ListTopicsDetectionJobs
config: DescribeAggregationAuthorizations DescribeConfigRules
  DescribeConfigurationAggregators DescribeConfigurationRecorderStatus
  DescribeConfigurationRecorders DescribeDeliveryChannels
  DescribeOrganizationConformancePackStatuses DescribeRetentionConfigurations
databrew: ListDatasets ListJobs ListRecipes ListRulesets
datasync: ListLocations ListTasks
directconnect: DescribeConnections DescribeLags
dms: DescribeConnections DescribeEndpoints DescribeReplicationInstances
  DescribeReplicationSubnetGroups DescribeReplicationTasks
docdb: DescribeDBClusterParameterGroups DescribeDBClusterSnapshots DescribeDBClusters
  DescribeDBInstances DescribeDBSubnetGroups DescribeEventSubscriptions DescribeEvents
  DescribeGlobalClusters
ds: DescribeDirectories DescribeTrusts GetDirectoryLimits ListLogSubscriptions
dynamodb: DescribeEndpoints DescribeLimits ListBackups ListTables
ec2: DescribeAccountAttributes DescribeAddresses DescribeAddressesAttribute
  DescribeAvailabilityZones DescribeCarrierGateways DescribeCustomerGateways
  DescribeDhcpOptions DescribeEgressOnlyInternetGateways DescribeFleets
  DescribeFlowLogs DescribeHosts DescribeIamInstanceProfileAssociations
  DescribeInstanceCreditSpecifications DescribeInstanceStatus DescribeInstances
  DescribeInternetGateways DescribeKeyPairs DescribeLaunchTemplates
  DescribeManagedPrefixLists DescribeNatGateways DescribeNetworkAcls
  DescribeNetworkInterfaces DescribePrefixLists DescribeRegions DescribeRouteTables
  DescribeSecurityGroupRules DescribeSecurityGroups DescribeSnapshotTierStatus
  DescribeSnapshots DescribeSpotFleetRequests DescribeSpotInstanceRequests
  DescribeSpotPriceHistory DescribeSubnets DescribeTags DescribeTrafficMirrorFilters
  DescribeTrafficMirrorSessions DescribeTrafficMirrorTargets
  DescribeTransitGatewayAttachments DescribeTransitGatewayPeeringAttachments
  DescribeTransitGatewayRouteTables DescribeTransitGatewayVpcAttachments
  DescribeTransitGateways DescribeVolumes DescribeVolumesModifications
  DescribeVpcClassicLink DescribeVpcClassicLinkDnsSupport
  DescribeVpcEndpointServiceConfigurations DescribeVpcEndpoints
  DescribeVpcPeeringConnections DescribeVpcs DescribeVpnConnections
  DescribeVpnGateways GetEbsEncryptionByDefault
ecr: DescribeRegistry DescribeRepositories GetRegistryScanningConfiguration
ecs: DescribeClusters ListAccountSettings ListClusters ListContainerInstances
  ListTaskDefinitionFamilies ListTaskDefinitions
efs: DescribeAccessPoints DescribeFileSystems
elasticache: DescribeCacheClusters DescribeCacheSubnetGroups DescribeReplicationGroups
  DescribeSnapshots DescribeUsers
elasticbeanstalk: DescribeApplications DescribeEnvironments
  ListAvailableSolutionStacks
elb: DescribeLoadBalancers
elbv2: DescribeAccountLimits DescribeLoadBalancers DescribeSSLPolicies
  DescribeTargetGroups
emr: DescribeJobFlows GetBlockPublicAccessConfiguration ListClusters ListReleaseLabels
events: DescribeEventBus ListApiDestinations ListArchives ListConnections
  ListEventBuses ListReplays ListRules
fis: ListExperimentTemplates ListExperiments
fsx: DescribeBackups DescribeFileSystems
greengrass: ListCoreDefinitions ListDeviceDefinitions ListFunctionDefinitions
  ListGroups ListResourceDefinitions ListSubscriptionDefinitions
iam: GetAccountSummary GetUser ListAccountAliases ListGroups ListInstanceProfiles
  ListOpenIDConnectProviders ListRoles ListSAMLProviders ListServerCertificates
  ListUsers ListVirtualMFADevices
inspector2: DescribeOrganizationConfiguration ListDelegatedAdminAccounts ListFilters
  ListFindings ListMembers
iot: DescribeEndpoint GetIndexingConfiguration GetRegistrationCode ListBillingGroups
  ListCertificates ListDomainConfigurations ListJobTemplates ListJobs ListRoleAliases
  ListThingGroups ListThingTypes ListThings ListTopicRules
kafka: ListClusters ListClustersV2
kinesis: DescribeLimits ListStreams
kms: ListAliases ListKeys ListRetirableGrants
lakeformation: GetDataLakeSettings ListDataCellsFilter ListLFTags ListPermissions
  ListResources
lambda: ListEventSourceMappings ListFunctions ListLayers
logs: DescribeDeliveries DescribeDeliveryDestinations DescribeDeliverySources
  DescribeDestinations DescribeExportTasks DescribeLogGroups DescribeMetricFilters
  DescribeQueries DescribeResourcePolicies
macie2: GetAdministratorAccount GetMacieSession ListInvitations ListMembers
  ListOrganizationAdminAccounts
managedblockchain: ListInvitations ListNetworks
medialive: ListChannels ListInputs
mediapackage: ListChannels ListOriginEndpoints
memorydb: DescribeClusters DescribeSnapshots DescribeSubnetGroups DescribeUsers
mq: ListBrokers ListConfigurations
neptune: DescribeDBClusterParameterGroups DescribeDBClusterSnapshots
  DescribeDBClusters DescribeDBInstances DescribeDBParameterGroups
  DescribeDBSubnetGroups DescribeEventSubscriptions DescribeEvents
  DescribeGlobalClusters
networkmanager: DescribeGlobalNetworks ListCoreNetworks
organizations: ListAWSServiceAccessForOrganization ListAccounts
  ListCreateAccountStatus ListDelegatedAdministrators
payment-cryptography: GetDefaultKeyReplicationRegions ListAliases ListKeys
polly: DescribeVoices ListLexicons
ram: ListPermissions ListResourceTypes
rds: DescribeBlueGreenDeployments DescribeDBClusterParameterGroups
  DescribeDBClusterSnapshots DescribeDBClusters DescribeDBInstanceAutomatedBackups
  DescribeDBInstances DescribeDBParameterGroups DescribeDBProxies
  DescribeDBSecurityGroups DescribeDBShardGroups DescribeDBSnapshots
  DescribeDBSubnetGroups DescribeEventSubscriptions DescribeEvents DescribeExportTasks
  DescribeGlobalClusters
redshift: DescribeClusterParameterGroups DescribeClusterSecurityGroups
  DescribeClusterSnapshots DescribeClusterSubnetGroups DescribeClusters
  DescribeSnapshotCopyGrants DescribeTags
resiliencehub: ListAppAssessments ListApps ListResiliencyPolicies
resourcegroupstaggingapi: GetResources GetTagKeys
route53: GetHostedZoneCount ListHealthChecks ListHostedZones ListHostedZonesByName
  ListQueryLoggingConfigs ListReusableDelegationSets
route53domains: ListDomains ListOperations
scheduler: ListScheduleGroups ListSchedules
secretsmanager: GetRandomPassword ListSecrets
servicecatalog-appregistry: GetConfiguration ListApplications
servicediscovery: ListNamespaces ListOperations ListServices
ses: DescribeActiveReceiptRuleSet GetSendQuota GetSendStatistics ListConfigurationSets
  ListIdentities ListReceiptRuleSets ListTemplates ListVerifiedEmailAddresses
sesv2: ListConfigurationSets ListContactLists ListDedicatedIpPools ListEmailIdentities
sns: GetSMSAttributes ListPhoneNumbersOptedOut ListPlatformApplications
  ListSubscriptions ListTopics
stepfunctions: ListActivities ListStateMachines
timestream-influxdb: ListDbClusters ListDbInstances ListDbParameterGroups
transfer: ListConnectors ListServers
vpc-lattice: ListServiceNetworkResourceAssociations
  ListServiceNetworkServiceAssociations ListServiceNetworkVpcAssociations
  ListServiceNetworks ListServices ListTargetGroups
workspaces-web: ListBrowserSettings ListNetworkSettings ListPortals
  ListUserAccessLoggingSettings ListUserSettings
"""
"""What needs no parameters, by service. SimpleDB is not here: it signs with Signature
Version 2 in the body, which the gateway refuses."""


def lists() -> list[tuple[str, list[Step]]]:
    """A table of them."""
    lines = LISTS.replace("\n  ", " ").strip().splitlines()
    parted = [line.partition(": ") for line in lines]
    return [(name, [step(o) for o in names.split()]) for name, _, names in parted]
