"""Presigned URLs that a call carries as a parameter: copies between regions.

EC2 and RDS fetch from the source region with such a URL. SDKs presign it for the
endpoint they know, which is the gateway, with the agent's key, which AWS does not
know. So its signature is dropped, and a URL is made anew from the call's own
parameters: what was decided and recorded is what is asked there. Source: "CopySnapshot"
(Amazon EC2 API Reference), "CopyDBSnapshot" (Amazon RDS API Reference).
"""

from __future__ import annotations

import dataclasses
import re
from urllib.parse import quote, unquote, urlencode

from gatekeep.aws.authorization import EMPTY_SHA256
from gatekeep.aws.call import Call
from gatekeep.aws.credentials import UpstreamCredentials
from gatekeep.aws.documents import parse_form
from gatekeep.aws.endpoints import Endpoints
from gatekeep.aws.signer import Signer
from gatekeep.errors import UnsupportedError
from gatekeep.http.messages import RequestHead
from gatekeep.limits import PRESIGNED_FOR_S

URL_MEMBERS = {
    ("docdb", "CopyDBClusterSnapshot"): "PreSignedUrl",
    ("docdb", "CreateDBCluster"): "PreSignedUrl",
    ("ec2", "CopySnapshot"): "PresignedUrl",
    ("neptune", "CopyDBClusterSnapshot"): "PreSignedUrl",
    ("neptune", "CreateDBCluster"): "PreSignedUrl",
    ("rds", "CopyDBClusterSnapshot"): "PreSignedUrl",
    ("rds", "CopyDBSnapshot"): "PreSignedUrl",
    ("rds", "CreateDBCluster"): "PreSignedUrl",
    ("rds", "CreateDBInstanceReadReplica"): "PreSignedUrl",
    ("rds", "StartDBInstanceAutomatedBackupsReplication"): "PreSignedUrl",
}
"""The parameter that holds the URL, by service and operation. All speak query or ec2:
the whole call is a form."""

_scope_region = re.compile(
    r"[?&]X-Amz-Credential=[^&/]+/\d{8}/([a-z0-9-]{1,32})/[a-z0-9-]+/aws4_request(?:&|$)"
).search


def take_out_url(call: Call) -> tuple[Call, str]:
    """Return a call without the agent's presigned URL, and the region it was for.

    What stands in the URL's place is fit for records and digests: it holds no
    signature and is the same each time the call is made. The region is empty for a
    call that carries no URL.

    Raises:
        UnsupportedError: the parameter is no SigV4 URL.
    """
    member = URL_MEMBERS.get((call.service, call.operation))
    url = call.parameters.get(member) if member else None
    if member is None or not url:
        return call, ""
    found = _scope_region(unquote(str(url)))
    if found is None:
        raise UnsupportedError(
            "embedded.url",
            f"{member} is no URL presigned with SigV4: leave it out and give the SDK"
            " SourceRegion, it makes the URL and the gateway signs it",
        )
    region = found[1]
    if call.parameters.get("SourceRegion", region) != region:
        raise UnsupportedError(
            "embedded.region", f"{member} is presigned for another region: {region}"
        )
    parameters = {**call.parameters, member: f"presigned by the gateway for {region}"}
    return dataclasses.replace(call, parameters=parameters), region


def remake_url(
    call: Call,
    head: RequestHead,
    form: bytes,
    source_region: str,
    *,
    endpoints: Endpoints,
    signer: Signer,
    credentials: UpstreamCredentials,
    now_s: float,
) -> bytes:
    """Return a call's form with a URL that the gateway presigned.

    Args:
        call: as `take_out_url` gives it.
        head: of the request.
        form: its body, as received and verified.
        source_region: as `take_out_url` gives it; must be one the service has.
        endpoints: the closed table; the URL's host is from there (I7).
        signer: signs the URL.
        credentials: whom the URL is to act as.
        now_s: seconds since 1970.

    Raises:
        UnsupportedError: no such region, or the call is not a plain form.
    """
    if not form or b"content-encoding" in head.by_name:
        raise UnsupportedError(
            "embedded.form", "a call with a presigned URL must be a plain form"
        )
    member = URL_MEMBERS[call.service, call.operation]
    pairs = parse_form(form)
    del pairs[member]
    place = endpoints.resolve(dataclasses.replace(call, region=source_region), head)
    asked = pairs | {"DestinationRegion": call.region}
    query, _ = signer.presign(
        PRESIGNED_FOR_S,
        method=b"GET",
        path=place.target,
        query=urlencode(asked, quote_via=quote).encode(),
        fields=[(b"host", place.host_header)],
        body_sha256=EMPTY_SHA256,
        service=place.signing_name,
        region=place.signing_region,
        credentials=credentials,
        now_s=now_s,
    )
    url = b"%b://%b%b?%b" % (
        place.scheme.encode(), place.host_header, place.target, query,
    )  # fmt: skip
    return urlencode(pairs | {member: url.decode()}, quote_via=quote).encode()
