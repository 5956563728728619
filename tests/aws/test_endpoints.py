"""Where calls go upstream, held against where stock SDKs send them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import botocore.session
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from hypothesis import given
from hypothesis import strategies as st

from gatekeep.aws.call import AccessLevel, Call, Need, Protocol
from gatekeep.aws.catalogue import Catalogue, load_catalogue
from gatekeep.aws.endpoints import Endpoint, Endpoints
from gatekeep.errors import UnsupportedError
from gatekeep.http.messages import RequestHead
from gatekeep.settings import UpstreamSettings

ARN = "arn:aws:kinesis:us-east-1:111122223333:stream/orders"


@pytest.fixture(scope="session")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    return load_catalogue(tmp_path_factory.getbasetemp().parent / "catalogue")


@pytest.fixture(scope="session")
def endpoints(catalogue: Catalogue) -> Endpoints:
    return Endpoints(UpstreamSettings(), catalogue)


def a_call(
    service: str,
    operation: str,
    region: str = "us-east-1",
    host_prefix: str = "",
    **parameters: object,
) -> Call:
    return Call(
        service=service,
        operation=operation,
        protocol=Protocol.JSON,
        region=region,
        needs=(Need("a:b", "*", AccessLevel.READ),),
        parameters=parameters,
        host_prefix=host_prefix,
    )


def a_head(target: bytes = b"/", host: bytes = b"gw.test:8443") -> RequestHead:
    return RequestHead(b"GET", target, [(b"host", host)])


def resolve(endpoints: Endpoints, call: Call, target: bytes = b"/") -> Endpoint:
    return endpoints.resolve(call, a_head(target))


# --- against stock botocore ---------------------------------------------------------

CALLS: list[tuple[str, str, str, str, dict[str, Any]]] = [
    # service, region, operation, botocore's method, parameters
    ("dynamodb", "eu-west-1", "GetItem", "get_item", {"TableName": "t", "Key": {"k": {"S": "1"}}}),
    ("dynamodb", "cn-north-1", "ListTables", "list_tables", {}),
    ("sqs", "us-gov-west-1", "ListQueues", "list_queues", {}),
    ("sts", "eu-central-1", "GetCallerIdentity", "get_caller_identity", {}),
    ("iam", "eu-west-1", "ListUsers", "list_users", {}),
    ("iam", "cn-north-1", "ListUsers", "list_users", {}),
    ("route53", "ap-south-1", "ListHostedZones", "list_hosted_zones", {}),
    ("cloudfront", "us-west-2", "ListDistributions", "list_distributions", {}),
    ("organizations", "us-east-1", "ListRoots", "list_roots", {}),
    ("ec2", "sa-east-1", "DescribeVpcs", "describe_vpcs", {}),
    ("lambda", "us-east-1", "ListFunctions", "list_functions", {}),
    ("stepfunctions", "us-east-1", "StartSyncExecution", "start_sync_execution", {"stateMachineArn": "arn:aws:states:us-east-1:111122223333:express:x"}),
    ("stepfunctions", "us-east-1", "ListActivities", "list_activities", {}),
    ("servicediscovery", "us-east-1", "DiscoverInstances", "discover_instances", {"NamespaceName": "n", "ServiceName": "s"}),
    ("kinesis", "us-east-1", "DescribeStreamSummary", "describe_stream_summary", {"StreamARN": ARN}),
    ("kinesis", "us-east-1", "PutRecord", "put_record", {"StreamARN": ARN, "Data": b"x", "PartitionKey": "k"}),
    ("kinesis", "us-east-1", "ListStreams", "list_streams", {}),
    ("s3", "eu-west-1", "ListBuckets", "list_buckets", {}),
    ("s3", "eu-west-1", "GetObject", "get_object", {"Bucket": "my-bucket", "Key": "a/../b//c d%2F+ü"}),
    ("s3", "eu-west-1", "ListObjectsV2", "list_objects_v2", {"Bucket": "my.dotted.bucket", "Prefix": "x/"}),
    ("s3", "eu-west-1", "HeadBucket", "head_bucket", {"Bucket": "UPPER"}),
    ("s3", "us-west-2", "ListObjectsV2", "list_objects_v2", {"Bucket": "x--usw2-az1--x-s3"}),
    ("s3control", "us-east-1", "ListAccessPoints", "list_access_points", {"AccountId": "111122223333"}),
    ("neptune-graph", "us-east-1", "ListGraphs", "list_graphs", {}),
    ("neptune-graph", "us-east-1", "GetGraphSummary", "get_graph_summary", {"graphIdentifier": "g-abcdefghij"}),
    ("acm", "us-east-1", "ListCertificates", "list_certificates", {}),
    ("ses", "us-east-1", "ListIdentities", "list_identities", {}),
    ("bedrock-runtime", "us-east-1", "GetAsyncInvoke", "get_async_invoke", {"invocationArn": "arn:aws:bedrock:us-east-1:111122223333:async-invoke/abcdefghijkl"}),
    ("logs", "us-east-1", "DescribeLogGroups", "describe_log_groups", {}),
    ("cloudwatch", "us-east-1", "ListMetrics", "list_metrics", {}),
    ("application-autoscaling", "us-east-1", "DescribeScalingPolicies", "describe_scaling_policies", {"ServiceNamespace": "ecs"}),
    ("iotsitewise", "us-east-1", "ListAssetModels", "list_asset_models", {}),
    ("signer", "us-east-1", "GetRevocationStatus", "get_revocation_status", {"signatureTimestamp": "2026-01-01T00:00:00Z", "platformId": "p", "profileVersionArn": "arn:aws:signer:us-east-1:111122223333:/signing-profiles/a/b", "jobArn": "arn:aws:signer:us-east-1:111122223333:/signing-jobs/a", "certificateHashes": ["x"]}),
]  # fmt: skip


def what_botocore_sends(
    service: str, region: str, method: str, parameters: dict[str, Any]
) -> tuple[str, str, str, str]:
    """Host, scope region, scope service and target of a stock client's request."""
    session = botocore.session.Session()
    session.set_credentials("AKIDEXAMPLE", "x")
    client = session.create_client(
        service,
        region_name=region,
        config=Config(
            account_id_endpoint_mode="disabled",
            s3={"us_east_1_regional_endpoint": "regional"},
            disable_request_compression=True,
        ),
    )
    sent: list[Any] = []

    class NoBody:
        def stream(self) -> Iterator[bytes]:
            return iter([b"<x/>" if client.meta.service_model.protocol in ("query", "ec2", "rest-xml") else b"{}"])  # fmt: skip

    def answer(request: Any, **_: object) -> AWSResponse:
        sent.append(request)
        return AWSResponse(request.url, 400, {}, NoBody())

    client.meta.events.register("before-send", answer)
    with pytest.raises(client.exceptions.ClientError):
        getattr(client, method)(**parameters)
    url = urlsplit(sent[-1].url)
    authorization = sent[-1].headers["Authorization"]
    if isinstance(authorization, bytes):
        authorization = authorization.decode()
    scope = re.search(r"Credential=[^/]+/\d+/([^/]+)/([^/]+)/aws4", authorization)
    assert scope is not None
    target = url.path + ("?" + url.query if url.query else "")
    return url.netloc, scope[1], scope[2], target


@pytest.mark.parametrize(
    ("service", "region", "operation", "method", "parameters"),
    CALLS,
    ids=[f"{row[0]}-{row[2]}-{row[1]}" for row in CALLS],
)
def test_a_call_goes_where_a_stock_client_sends_it(
    endpoints, monkeypatch, tmp_path, service, region, operation, method, parameters
):
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    # S3 Express would first ask for a session; without, the request is the same.
    monkeypatch.setenv("AWS_S3_DISABLE_EXPRESS_SESSION_AUTH", "true")
    host, scope_region, scope_service, target = what_botocore_sends(
        service, region, method, parameters
    )
    bucket = parameters.get("Bucket", "")
    client_target = target
    if bucket and host.startswith(bucket + "."):
        # What the same client sends to the gateway: path style.
        client_target = f"/{bucket}" + ("" if target == "/" else target)
    endpoint = resolve(
        endpoints,
        a_call(service, operation, region, **parameters),
        client_target.encode(),
    )
    assert endpoint.host == host
    assert endpoint.host_header == host.encode()
    assert (endpoint.scheme, endpoint.port) == ("https", 443)
    assert (endpoint.signing_region, endpoint.signing_name) == (
        scope_region,
        scope_service,
    )
    assert endpoint.target == target.encode()


def test_every_operation_of_every_service_has_a_host_of_aws_or_a_clear_refusal(
    catalogue, endpoints
):
    refused = set()
    parameters = {
        "AccountId": "111122223333",
        "RequestRoute": "route",
        "graphIdentifier": "g-abcdefghij",
        "spaceId": "space",
    }
    for name in catalogue.services:
        regions = catalogue.regions(name)
        region = next((r for r in COMMERCIAL if r in regions), min(regions))
        for operation in catalogue.service(name).operations:
            try:
                endpoint = resolve(
                    endpoints, a_call(name, operation, region, **parameters)
                )
            except UnsupportedError as error:
                refused.add((name, error.code))
            else:
                assert AWS_HOST.fullmatch(endpoint.host), endpoint.host
    # Without its ARN a key value store has no endpoint, with it one for SigV4A only.
    assert refused <= {("cloudfront-keyvaluestore", "endpoint.none")}


COMMERCIAL = ("us-east-1", "us-west-2", "eu-west-1")
AWS_HOST = re.compile(
    r"([a-z0-9-]+\.)+(amazonaws\.com(\.cn)?|api\.aws|on\.aws|amazonaws\.eu|signin\.aws"
    r"|aws\.amazon\.com|amazonwebservices\.(com\.cn|eu)|c2s\.ic\.gov|sc2s\.sgov\.gov"
    r"|cloud\.adc-e\.uk|csp\.hci\.ic\.gov)"
)


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (a_call("dynamodb", "GetItem", "us-east-9"), "endpoint.region"),
        (a_call("dynamodb", "GetItem", "local"), "endpoint.region"),
        (a_call("dynamodb", "GetItem", ""), "endpoint.region"),
        (a_call("dynamodb", "GetItem", "us-east-1.evil.example"), "endpoint.region"),
        (a_call("s3", "GetObject", "aws-global", Bucket="b"), "endpoint.region"),
        (a_call("events", "PutEvents", EndpointId="abc.def"), "endpoint.sigv4a"),
        (a_call("s3", "GetObject", Bucket="arn:aws:s3::111122223333:accesspoint:mfz.mrap", Key="k"), "endpoint.none"),
        (a_call("s3", "GetObject", Bucket="arn:aws:s3:eu-west-1:111122223333:accesspoint/a", Key="k"), "endpoint.none"),
        (a_call("s3control", "ListAccessPoints", AccountId="evil.example/"), "endpoint.none"),
        (a_call("neptune-graph", "GetGraphSummary", graphIdentifier="evil.example/"), "endpoint.label"),
        (a_call("neptune-graph", "GetGraphSummary"), "endpoint.label"),
    ],
)  # fmt: skip
def test_what_has_no_endpoint_is_refused(endpoints, call, code):
    with pytest.raises(UnsupportedError) as caught:
        resolve(endpoints, call)
    assert caught.value.code == code


# --- buckets -------------------------------------------------------------------------

KEYS = [b"", b"/", b"/k", b"/..", b"/a/../b", b"//x", b"/a%2Fb", b"/%2e%2e/x", b"/a?b=/c"]  # fmt: skip


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("bucket", ["my-bucket", "my.bucket"])
@pytest.mark.parametrize("in_host", [True, False])
def test_a_key_arrives_as_it_was_sent(endpoints, bucket, key, in_host):
    in_path = b"/" + bucket.encode() + key
    in_root = key if key.startswith(b"/") else b"/" + key
    call = a_call(
        "s3", "GetObject", Bucket=bucket, host_prefix=f"{bucket}." if in_host else ""
    )
    endpoint = resolve(endpoints, call, in_root if in_host else in_path)
    if bucket == "my-bucket":
        assert endpoint.host == "my-bucket.s3.us-east-1.amazonaws.com"
        assert endpoint.target == in_root
    else:
        assert endpoint.host == "s3.us-east-1.amazonaws.com"
        assert endpoint.target == b"/" + bucket.encode() + (in_root if in_host else key)


def test_a_presigned_url_goes_up_without_its_signature(endpoints):
    call = a_call("s3", "GetObject", Bucket="bkt")
    target = (
        b"/bkt/k?response-content-type=text%2Fplain&X-Amz-Algorithm=A&X-Amz-Credential=B"
        b"&X-Amz-Date=C&X-Amz-Expires=D&X-Amz-SignedHeaders=E&X-Amz-Security-Token=F"
        b"&X-Amz-Signature=G&versionId=1"
    )
    endpoint = resolve(endpoints, call, target)
    assert endpoint.target == b"/k?response-content-type=text%2Fplain&versionId=1"


# --- endpoints of the settings -------------------------------------------------------


def test_an_endpoint_of_the_settings_takes_everything(catalogue):
    endpoints = Endpoints(
        UpstreamSettings(
            endpoint="http://127.0.0.1:5000",
            service_endpoints={"sqs": "https://vpce-1.sqs.test/base/"},
        ),
        catalogue,
    )
    found = resolve(endpoints, a_call("dynamodb", "GetItem", "eu-west-1"))
    assert found == Endpoint(
        "http", "127.0.0.1", 5000, b"127.0.0.1:5000", b"", "eu-west-1", "dynamodb", b"/"
    )
    found = resolve(endpoints, a_call("sqs", "ListQueues"), b"/x?y")
    assert found == Endpoint(
        "https", "vpce-1.sqs.test", 443, b"vpce-1.sqs.test", b"/base",
        "us-east-1", "sqs", b"/base/x?y",
    )  # fmt: skip
    # Nothing is put before its host, buckets stand in the path, signing is AWS's own.
    found = resolve(endpoints, a_call("stepfunctions", "StartSyncExecution"))
    assert found.host == "127.0.0.1"
    found = resolve(
        endpoints, a_call("s3", "GetObject", Bucket="b-1", host_prefix="b-1."), b"/k"
    )
    assert (found.host, found.target) == ("127.0.0.1", b"/b-1/k")
    assert resolve(endpoints, a_call("iam", "ListUsers", "eu-west-1"))[5:7] == (
        "us-east-1",
        "iam",
    )


def test_an_ipv6_endpoint_keeps_its_brackets_in_the_host_header(catalogue):
    endpoints = Endpoints(UpstreamSettings(endpoint="http://[::1]:5000"), catalogue)
    found = resolve(endpoints, a_call("sqs", "ListQueues"))
    assert (found.host, found.port, found.host_header) == ("::1", 5000, b"[::1]:5000")


# --- no host outside the table -------------------------------------------------------

hostile = st.one_of(
    st.text(max_size=40),
    st.from_regex(r"[a-z0-9.@/#?\\:%-]{0,40}", fullmatch=True),
    st.sampled_from(["evil.example", "evil.example/", "@evil.example", "a.b", "-", ".", "us-east-1", "111122223333", "x" * 64, "arn:aws:kinesis:us-east-1:evil.example:stream/x", "arn:aws:s3:us-east-1:111122223333:accesspoint/evil.example"]),
)  # fmt: skip
MEMBERS = ("Bucket", "AccountId", "StreamARN", "StreamId", "graphIdentifier",
           "RequestRoute", "spaceId", "Name", "OutpostId", "ResourceArn", "KvsARN",
           "EndpointId", "ConsumerARN", "QueueARN", "ChannelARN")  # fmt: skip
OPERATIONS = [(service, operation) for service, _, operation, _, _ in CALLS] + [
    ("s3", "WriteGetObjectResponse"),
    ("s3", "CreateBucket"),
    ("s3control", "CreateBucket"),
    ("s3control", "GetBucket"),
    ("s3control", "TagResource"),
    ("opensearchmemory", "CreateEvent"),
    ("cloudfront-keyvaluestore", "GetKey"),
    ("sesv2", "SendEmail"),
]


@given(
    pair=st.sampled_from(OPERATIONS),
    region=st.one_of(
        st.sampled_from(["us-east-1", "cn-north-1", "us-west-2"]), hostile
    ),
    parameters=st.fixed_dictionaries({}, optional=dict.fromkeys(MEMBERS, hostile)),
    host_prefix=hostile,
    host=hostile,
    target=hostile,
)
def test_nothing_a_client_sends_makes_a_host_outside_the_table(
    endpoints, catalogue, pair, region, parameters, host_prefix, host, target
):
    service, operation = pair
    call = a_call(service, operation, region, host_prefix, **parameters)
    head = a_head(b"/" + target.encode(), host.encode())
    try:
        endpoint = endpoints.resolve(call, head)
    except UnsupportedError:
        return
    assert region in catalogue.regions(service)
    assert endpoint.scheme == "https"
    assert endpoint.port == 443
    assert endpoint.host_header == endpoint.host.encode()
    assert AWS_HOST.fullmatch(endpoint.host)
    assert "evil.example" not in endpoint.host
