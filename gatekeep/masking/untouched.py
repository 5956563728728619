"""What masking never touches, because the next call or the SDK needs it whole.

Pagination tokens, ids of requests, uploads and messages, entity tags, checksums,
signatures and KMS ciphertext. Names are folded (`detectors.fold`). They count
where AWS's models name the member, never inside what users stored (DynamoDB
items, objects, payloads, JSON nested in a string).
"""

from __future__ import annotations

UNTOUCHED_MEMBERS = frozenset({
    b"nexttoken", b"nextmarker", b"marker", b"continuationtoken",
    b"nextcontinuationtoken", b"paginationtoken", b"pagetoken", b"nextpagetoken",
    b"nextforwardtoken", b"nextbackwardtoken", b"keymarker", b"nextkeymarker",
    b"uploadidmarker", b"nextuploadidmarker", b"versionidmarker",
    b"nextversionidmarker", b"partnumbermarker", b"nextpartnumbermarker",
    b"lastevaluatedkey", b"exclusivestartkey", b"laststreamarn",
    b"lastevaluatedstreamarn", b"lastevaluatedshardid", b"sharditerator",
    b"nextsharditerator", b"sequencenumber", b"receipthandle", b"messageid",
    b"requestid", b"hostid", b"uploadid", b"versionid", b"etag", b"contentmd5",
    b"md5ofbody", b"md5ofmessagebody", b"md5ofmessageattributes",
    b"checksumcrc32", b"checksumcrc32c", b"checksumcrc64nvme", b"checksumsha1",
    b"checksumsha256", b"ciphertextblob", b"signature", b"nextsequencetoken",
    b"uploadsequencetoken", b"clienttoken", b"clientrequesttoken", b"taskhandle",
    b"queryexecutionid", b"locktoken", b"synctoken", b"type__",
})  # fmt: skip

UNTOUCHED_FIELDS = frozenset({
    b"accept-ranges", b"age", b"alt-svc", b"cache-control", b"connection",
    b"content-encoding", b"content-language", b"content-length", b"content-range",
    b"content-type", b"date", b"etag", b"expires", b"keep-alive", b"last-modified",
    b"server", b"trailer", b"transfer-encoding", b"vary", b"via",
    b"x-amz-id-2", b"x-amz-request-id", b"x-amz-version-id", b"x-amz-delete-marker",
    b"x-amz-server-side-encryption", b"x-amz-server-side-encryption-aws-kms-key-id",
    b"x-amz-storage-class", b"x-amz-mp-parts-count", b"x-amz-bucket-region",
    b"x-amz-expiration", b"x-amz-restore", b"x-amz-tagging-count", b"x-amz-apigw-id",
    b"x-amzn-requestid", b"x-amzn-trace-id", b"x-amzn-errortype",
    b"x-amzn-query-error", b"x-amz-executed-version", b"x-amz-function-error",
    b"x-amzn-remapped-content-length", b"x-amz-abort-date", b"x-amz-abort-rule-id",
    b"x-cache", b"x-content-type-options", b"strict-transport-security",
    b"smithy-protocol",
})  # fmt: skip
"""Header fields whose value is AWS's own, never a user's."""
