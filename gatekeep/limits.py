"""Every bound gatekeep keeps, with its unit and its reason (I10).

A bound that is not here does not exist. Names end in the unit and ``_max``.
"""

from __future__ import annotations

KIB = 1024
MIB = 1024 * KIB

# --- HTTP heads ---------------------------------------------------------------

HEAD_BYTES_MAX = 64 * KIB
"""One request or response head. AWS session tokens alone reach 8 KiB, S3 user
metadata 2 KiB; nginx allows 32 KiB in total, AWS ALB 64 KiB."""

HEAD_FIELDS_MAX = 128
"""Header fields in one head. SDKs send 8 to 25; Apache's default is 100."""

TARGET_BYTES_MAX = 16 * KIB
"""Request target. A presigned URL with a session token is about 4 KiB; S3 keys
percent-coded reach 3 KiB; AWS ALB allows 16 KiB."""

TRAILER_BYTES_MAX = 8 * KIB
"""The trailer section of a chunked body; it is read, checked and dropped."""

CHUNK_LINE_BYTES_MAX = 4 * KIB
"""A chunk's size with its extensions. No AWS SDK sends extensions on this layer."""

CHUNK_EXTENSIONS_BYTES_MAX = 16 * KIB
"""Chunk extensions of one body together: they are read and dropped, so they only
cost (CVE-2023-39326; Go's bound)."""

RECEIVED_BYTES_MAX = 2 * MIB
"""Bytes received and not yet read, pipelined requests included. The wire pauses
long before, at `BODY_QUEUE_BYTES_MAX` and one read."""

INTERIM_HEADS_MAX = 64
"""1xx answers of an upstream to one request. AWS sends one at most."""

# --- HTTP/2 -------------------------------------------------------------------

H2_STREAMS_MAX = 100
"""Open streams of one client connection; the least RFC 9113 recommends."""

H2_STREAM_WINDOW_BYTES = 256 * KIB
"""Body bytes a client may send on one stream before we take them."""

H2_CONNECTION_WINDOW_BYTES = 4 * MIB
"""The same on all streams of one connection together: the most it makes us hold.
Sixteen uploads can stand still before they stop the others."""

H2_FRAME_BYTES_MAX = 16 * KIB
"""One frame's payload; the least, and the default, of RFC 9113."""

H2_CLOSED_STREAMS_MAX = 1024
"""Closed streams of one connection that are remembered for late frames."""

H2_HEADER_TABLE_BYTES_MAX = 4 * KIB
"""Our header table, however large a one the client offers to keep (the default)."""

H2_PATIENCE_MAX = 2_000
"""What a client's frames may cost before the connection ends (`http.frames`): 200
requests thrown away at once, 1,000 pings, 2,000 empty frames."""

H2_PATIENCE_PER_S = 200
"""Patience that comes back each second: 20 requests thrown away, 100 pings."""

# --- bodies -------------------------------------------------------------------

PARAMETER_BODY_BYTES_MAX = 72 * MIB
"""A request body that holds parameters and so is read before the decision.
Lambda's 50 MiB zip in base64 inside JSON is 67 MiB, the largest AWS accepts."""

PARAMETER_BODIES_BYTES_MAX = 512 * MIB
"""All buffered parameter bodies of one worker together; above it new ones are
told to slow down (503) and nothing is done."""

INFLATED_BODY_BYTES_MAX = 72 * MIB
"""A parameter body after ``Content-Encoding: gzip`` is undone (zip-bomb guard)."""

WHOLE_ANSWER_BYTES_MAX = 64 * KIB
"""An answer up to this size is collected, masked, recorded and written in one
piece with its exact length; a longer one streams."""

FAULT_BYTES_READ_AHEAD = 256 * KIB
"""Of an answer with a status over 399, read and looked at before any of it is passed
on. S3's longest, which quotes a canonical request twice, stays well below."""

CHECKSUMMED_ANSWER_BYTES_MAX = 1 * MIB + 64 * KIB
"""An answer with ``x-amz-crc32`` (DynamoDB) up to this size is collected so that
the checksum can be made anew; DynamoDB pages hold at most 1 MiB of items."""

AWS_CHUNK_BYTES_MAX = 1 * MIB
"""One signed chunk of an aws-chunked body, which is held until its signature is
verified. SDKs cut chunks of 64 KiB (Rust, MinIO) to 128 KiB (Java, .NET), boto3
would cut 1 MiB; S3 asks for 8 KiB at least. Unsigned chunks pass as they come."""

AWS_CHUNK_LINE_BYTES_MAX = 128
"""The line that begins a chunk: a size, ``;chunk-signature=`` and 64 hex digits."""

AWS_TRAILER_BYTES_MAX = 2 * KIB
"""All lines of an aws-chunked trailer: a checksum or two and a signature."""

EVENT_HEADERS_BYTES_MAX = 128 * KIB
"""Headers of one event-stream message, as the event stream specification has it."""

EVENT_PAYLOAD_BYTES_MAX = 24 * MIB
"""Payload of one event-stream message, which is held until its CRC and signature
are checked: the most that SDKs take (botocore, aws-c-event-stream)."""

BODY_QUEUE_BYTES_MAX = 256 * KIB
"""Body bytes queued between the two sockets of one exchange before the faster
side is paused."""

PARAMETER_DEPTH_MAX = 128
"""Containers within containers in a parameter body. DynamoDB nests 32 attribute
values, two JSON levels each; documents (Bedrock tool schemas) stay below 40."""

FORM_FIELDS_MAX = 20_000
"""Fields of a query-protocol form. EC2's largest calls send some thousands."""

FORM_PARTS_MAX = 200_000
"""Parts of the names of all fields of a form, which become tables within tables at
some 230 bytes each. EC2's longest names have eight."""

JSON_MARKS_MAX = 3_000_000
"""Commas and opening brackets of a JSON body: each may become an object of 75 bytes.
A full DynamoDB BatchWriteItem (16 MB) of one-digit attributes has 2.4 million."""

XML_ELEMENTS_MAX = 200_000
"""Elements of an XML body, at some 250 bytes each. CompleteMultipartUpload with
10,000 parts and every checksum has 80,000."""

CBOR_ITEMS_MAX = 200_000
"""Items of a CBOR body, at some 65 bytes each; counted from 1 MiB on. Large bodies
are pages and documents in one byte string (Textract)."""

NEEDS_MAX = 2_048
"""IAM permissions one call may need: DeleteObjects names 1,000 keys, each maybe
with a version."""

# --- time ---------------------------------------------------------------------

HEAD_TIMEOUT_S = 20.0
"""From the first byte of a head to its last (slow-loris guard; nginx: 60 s)."""

TLS_HANDSHAKE_TIMEOUT_S = 10.0
"""From accept to a finished TLS handshake."""

TLS_SHUTDOWN_TIMEOUT_S = 2.0
"""From our close to the client's: a pooled SDK connection that nobody reads never
answers a close_notify, and must not hold up a stop."""

IDLE_TIMEOUT_S = 120.0
"""A kept-alive client connection with nothing to say. SDK pools drop theirs
after 60 s (Java) or when refused."""

BODY_STALL_TIMEOUT_S = 60.0
"""A client that stops in the middle of a body (boto3's own read timeout: 60 s)."""

UPSTREAM_CONNECT_TIMEOUT_S = 10.0
"""TCP and TLS to the upstream."""

UPSTREAM_ANSWER_TIMEOUT_S = 910.0
"""From the last request byte to the upstream's head: Lambda runs for 15 min."""

UPSTREAM_STALL_TIMEOUT_S = 120.0
"""An upstream that stops in the middle of a body."""

UPSTREAM_IDLE_TIMEOUT_S = 55.0
"""A pooled upstream connection without use; AWS closes most at 60 s or later."""

DRAIN_TIMEOUT_S = 30.0
"""Time that exchanges under way get to end when the gateway stops."""

HOLD_DRIP_S = 15.0
"""Between two ``100 Continue`` to a held client. Default boto3 gives up on a
silent socket after 60 s, AWS says to stay under 20 s (aws-wire section 6)."""

SIGNATURE_SKEW_S = 300
"""How far ``X-Amz-Date`` may be from our clock. AWS allows 5 minutes (S3: 15)."""

SIGNED_HEADERS_BYTES_MAX = 4 * KIB
"""A ``SignedHeaders`` list; those in use are kept worked out. `HEAD_FIELDS_MAX`
names of 30 characters fit."""

SIGNING_KEYS_MAX = 64
"""Derived SigV4 keys that one session or one set of credentials keeps: a client
names the scope, so it could make any number. An agent uses a few services."""

ENDPOINTS_MAX = 8192
"""Upstream endpoints that a worker keeps worked out: by operation and region, and
for S3 by bucket."""

# --- counts -------------------------------------------------------------------

CONNECTIONS_MAX = 20_000
"""Client connections of one worker."""

HELD_EXCHANGES_MAX = 2_000
"""Exchanges of one worker that wait for people at once."""

UPSTREAM_CONNECTIONS_PER_HOST_MAX = 512
"""Open upstream connections of one worker to one host."""

# --- identity -----------------------------------------------------------------

IDENTITY_TOKEN_BYTES_MAX = 20_000
"""One OIDC token; STS's own limit for WebIdentityToken."""

SESSION_TOKEN_BYTES_MAX = 8 * KIB
"""One sealed session token, base64; botocore's STS model names no bound, AWS
says to allow for 4 KiB and more."""

JWKS_BYTES_MAX = 512 * KIB
"""A key set or a discovery document fetched from an issuer."""

JWKS_KEYS_MAX = 256
"""Keys of one issuer; Microsoft's common endpoint publishes about 20."""

ISSUER_TIMEOUT_S = 5.0
"""Connect, and each read, from an issuer."""

ISSUER_FETCH_S_MAX = 10.0
"""One document from an issuer in all, so that one that drips does not hold us."""

ISSUER_REFETCH_S = 30.0
"""Between two fetches that unknown key ids cause, by issuer: a stranger's tokens
must not make us a load on the issuer."""

SUBJECT_CHARACTERS_MAX = 512
"""A subject or a group name. STS allows 255; Kubernetes and GitHub name more."""

OPENED_SESSIONS_MAX = 10_000
"""Opened sessions that one worker remembers, about 3 KiB each. Opening one anew
costs some 20 microseconds."""

CREDENTIALS_COMMAND_TIMEOUT_S = 20.0
"""Connect to the gateway, and its answer, in ``gatekeep credentials``; SDKs wait for
a credential process without a limit of their own."""

CREDENTIALS_ANSWER_BYTES_MAX = 64 * KIB
"""The gateway's answer to that; a session token is at most 8 KiB of it."""

ADVERTISED_SESSION_S_MIN = 1200
"""Least lifetime told to an SDK: at 15 minutes and less boto3 fetches new
credentials with every call (aws-wire section 1)."""

KEY_FILE_BYTES_MAX = 8 * KIB
"""A file of keys."""

KEYRING_KEYS_MAX = 16
"""Sealing keys in one keyring: one seals, the others still open."""

REVOCATIONS_BYTES_MAX = 64 * MIB
"""Map of the revocations' store: some 300,000 of them."""

KEYRING_RECHECK_S = 1.0
"""How long a changed keyring file may stay unseen."""

# --- upstream credentials -------------------------------------------------------

ASSUMED_CREDENTIALS_MAX = 10_000
"""Assumed credentials that one worker keeps, one set a session, about 4 KiB each."""

CREDENTIALS_MARGIN_S = 60.0
"""Assumed credentials are not used in their last minute: a request may wait in a
queue, and clocks differ."""

CREDENTIALS_RETRY_S = 5.0
"""After a failed attempt to get credentials, until the next: a role that cannot be
assumed must not become a stream of STS calls."""

OWN_CREDENTIALS_RECHECK_S = 30.0
"""How old the gateway's own credentials may be before botocore, which renews them 15
minutes ahead of their end, is asked for them again."""

STS_TIMEOUT_S = 10.0
"""Connect, and answer, of one AssumeRole call; botocore makes up to three."""

STS_CALLS_MAX = 8
"""AssumeRole calls of one worker at once; each holds a thread."""

# --- audit --------------------------------------------------------------------

RECORD_BYTES_MAX = 60 * KIB
"""One record: under the 65,535 bytes of a tlog-tiles entry (C2SP)."""

RECORD_DEPTH_MAX = 72
"""Levels of a record's parameters. DynamoDB nests documents 32 deep, and its wire
form takes two levels for each; msgpack decoders give up at 511 to 1024."""

CAPTURE_BYTES_MAX = 256 * KIB
"""Captured bytes of one masked body, request or response; the rest is digested
and counted, not kept."""

EXCHANGE_ID_BYTES_MAX = 64
"""One exchange id in UTF-8; it is part of a key, and LMDB's are at most 511 bytes."""

LEDGER_BATCH_BYTES_MAX = 2 * MIB
"""Record and capture bytes after which a worker begins another message within one
turn of its loop."""

LEDGER_FRAME_BYTES_MAX = 4 * MIB
"""One message between a worker and the ledger: a batch, one more record with two
captures, and what frames them."""

LEDGER_PENDING_BYTES_MAX = 64 * MIB
"""Record and capture bytes of one worker that wait for the ledger; above it appends
are refused. At 8,000 records a second this is over five seconds' worth."""

LEDGER_STALL_TIMEOUT_S = 5.0
"""A worker that waits this long for a receipt holds the ledger for dead: what waits
is refused and so is everything new until it is connected again."""

LEDGER_REOPEN_S = 1.0
"""Between two attempts to open a store anew whose disk was full or read-only."""

LOG_WINDOW_RECORDS = 512
"""Records that a reader of the log takes in one read transaction (20 ms)."""

LEDGER_TAIL_RECORDS = 1024
"""Entries at the log's end that the ledger verifies before it goes on (30 ms)."""

# --- refused requests -----------------------------------------------------------

DISCARDED_BODY_BYTES_MAX = 1 * MIB
"""What is read and dropped of a refused request's body before the connection is
closed; enough for what was under way when the refusal was sent."""

DISCARD_TIMEOUT_S = 2.0
"""How long that may take."""

# --- processes ------------------------------------------------------------------

START_TIMEOUT_S = 120.0
"""From fork to ready: the first start compiles the catalogue."""

HOLD_POLL_S = 0.05
"""How often a worker with held exchanges looks whether people decided; one read
of a mapped page."""

SWEEP_S = 1.0
"""How often a worker enforces deadlines, reads changed policies and drops idle
upstream connections."""

# --- access requests ------------------------------------------------------------

ACCESS_OPEN_MAX = 10_000
"""Access requests that wait for people at once, of all workers together."""

ACCESS_OPEN_PER_PRINCIPAL_MAX = 100
"""Those of one principal: an agent that floods reviewers wears them out, and tired
reviewers approve everything."""

ACCESS_SETTLED_MAX = 20_000
"""Settled access requests that reviewers can look back on; the oldest go first. The
audit log keeps what happened for good."""

ACCESS_PARAMETERS_BYTES_MAX = 128 * KIB
"""Masked parameters of one access request, as JSON. What is too long to be shown to
a reviewer whole cannot be approved."""

ACCESS_EXCHANGES_MAX = 16
"""Exchanges that wait on one access request: concurrent twins and retries."""

ACCESS_REATTACH_S = 60.0
"""How long an access request outlives its last client, so that a retry finds it.
botocore waits at most 20 s between two attempts."""

ACCESS_COMMENT_CHARACTERS_MAX = 1_000
"""A reviewer's comment."""

ACCESS_STORE_BYTES_MAX = 4 * 1024 * MIB
"""LMDB map of the access requests: address space, not disk. The counts above times
`ACCESS_PARAMETERS_BYTES_MAX` fit."""

QUORUM_PEOPLE_MAX = 16
"""People whom one hold can need."""

# --- masking ------------------------------------------------------------------

MASKED_DEPTH_MAX = 64
"""Nesting of a body that is masked. DynamoDB allows 32 levels, and each is two
brackets with its type name around them."""

MASKED_TOKEN_BYTES_MAX = 16 * MIB
"""One JSON string, XML text or CSV cell that must be held whole to be masked."""

SESSION_FORM_BYTES_MAX = 64 * KIB
"""An unsigned request for a session: an identity token percent-coded, and a bit."""

SESSION_FORM_FIELDS_MAX = 32
"""Its parameters; STS knows eight."""

# --- policy -------------------------------------------------------------------

POLICY_FILE_BYTES_MAX = 1 * MIB
"""One ``*.cedar`` file; a policy is some 300 bytes long."""

STATEMENTS_CHARACTERS_MAX = 256 * KIB
"""SQL of one call that is looked into for verbs; Athena takes 256 KiB. Of more than
that every verb is assumed."""

STATEMENTS_PARSED_CHARACTERS_MAX = 16 * KIB
"""SQL of one call that is parsed, at 5 to 10 µs a character; more counts as
unparsed."""

STATEMENT_STEPS_PER_TOKEN_MAX = 20
"""Steps forth or back that the SQL parser may take for each token there is. Real
queries need 2 to 10; some nestings make it try exponentially many readings."""

STATEMENT_WRAPS_MAX = 4
"""Statements around statements: ``EXPLAIN ANALYZE`` of ``UNLOAD`` of a query is 2."""

STATEMENT_FACTS_MAX = 1_024
"""Calls whose statement facts one worker remembers."""

DECISIONS_IN_MEMORY_MAX = 32_768
"""Decisions that one worker remembers beside the stored ones, at about 700 bytes."""

DECISION_OUTCOMES_MAX = 1_024
"""Combinations of policies whose merged obligations one worker remembers."""

DECISION_NAME_CHARACTERS_MAX = 300
"""A resource's or subject's name in the message of a denial; the rest is cut."""

DECISION_BYTES_MAX = 400
"""One stored decision: the ids of its policies. Longer ones are not stored."""

DECISIONS_QUEUED_MAX = 8_192
"""Decisions of one worker that wait to be stored; more are not stored."""

DECISIONS_FLUSH_S = 1.0
"""Between two commits of one worker's new decisions."""


# --- signing --------------------------------------------------------------------

PRESIGNED_FOR_S = 300
"""How long a URL that the gateway presigns for one request of its own holds."""

MASKED_NESTING_MAX = 4
"""JSON texts in strings of JSON texts, read one inside the other: SNS to SQS to an
S3 event takes three."""

PATTERN_WIDTH_MAX = 4 * KIB
"""The widest match of an operator's own pattern: a stream holds back as much."""

MASKED_COLLECTED_BYTES_MAX = 32 * MIB
"""An answer that must be read whole before its first byte is masked: query results
whose column names may come last, SQS messages with their digests. Athena gives at
most 1,000 rows a page, SQS ten messages of 1 MiB, base64 and escapes included."""

INFLATED_RATIO_MAX = 512
"""Inflated to compressed bytes of a compressed object that is masked. Logs and CSV
reach 50, gzip's own bound is 1,032; checked past the first MiB."""

INFLATED_PIECE_BYTES = 256 * KIB
"""What a decompressor gives at once, so that memory does not follow the ratio."""

INFLATED_WINDOW_BYTES_MAX = 8 * MIB
"""History that a zstd frame may ask a decompressor to keep (RFC 8878: support 8 MiB)."""
