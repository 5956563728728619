"""What AWS's models say about answers, as far as masking needs it.

Checked against the installed botocore by test; masking itself reads no model.
"""

from __future__ import annotations

from gatekeep.masking.detectors import fold

MODELLED_LEVELS = {"": 0, "dynamodb": 1, "dynamodbstreams": 2}
"""Services below whose first levels of members the names are the users' own."""


def _table(text: str) -> dict[str, frozenset[str]]:
    """Rows of ``service: word word …``; an indented line goes on with the last row."""
    rows: dict[str, frozenset[str]] = {}
    service = ""
    for line in text.strip().splitlines():
        words = line.split()
        if not line.startswith(" "):
            service = words.pop(0).rstrip(":")
        rows[service] = rows.get(service, frozenset()) | frozenset(words)
    return rows


BLOBS: dict[str, frozenset[bytes]] = {
    service: frozenset(fold(name.encode()) for name in names)
    for service, names in _table("""
amp: configuration configurationblob data
bedrock: data document formdata
bedrock-agent-runtime: bytecontent bytes redactedcontent
bedrock-agentcore: blob data redactedcontent
bedrock-runtime: bytes redactedcontent
clouddirectory: binaryvalue
cloudtrail: value
cloudwatch: metricwidgetimage
codecommit: content filecontent
cognito-idp: bytes
datasync: servercertificate
devops-agent: bytes zipfile
directconnect: loacontent
dms: certificatewallet
ec2: uploadpolicy
glue: unscaledvalue
greengrassv2: recipe
iam: base32stringseed content qrcodepng
iot: bin content inlinedocument
iot-data: payload userproperties
iot-jobs-data: payload
iotsitewise: data
kafka: serverproperties
keyspacesstreams: blobt
kinesis: data
kms: ciphertextblob ciphertextforrecipient importtoken mac plaintext
  privatekeyciphertextblob privatekeyplaintext publickey sharedsecret
  sharedsecretciphertextblob signature
lexv2-runtime: audiochunk
location: geobuf
logs: data
mediaconnect: thumbnail
odb: autonomousdatabasewalletfile
qbusiness: mediabytes
rds-data: blobvalue
redshift-data: blobvalue
rekognition: bytes
rolesanywhere: crldata
secretsmanager: secretbinary
signer: signature
sqs: binarylistvalues binaryvalue
ssm: payload
support: data
transfer: faviconfile logofile
translate: content
waf: targetstring
waf-regional: targetstring
wafv2: searchstring
workspaces-web: body
""").items()
}
"""By service: folded names of output members that are bytes, base64 on the wire."""

PAYLOADS = _table("""
apigateway: GetExport GetSdk
apigatewayv2: ExportApi
appconfig: CreateHostedConfigurationVersion GetConfiguration
  GetHostedConfigurationVersion
appconfigdata: GetLatestConfiguration
appsync: GetIntrospectionSchema
bedrock-agentcore: InvokeAgentRuntime
bedrock-runtime: InvokeModel
cloudfront: GetConnectionFunction GetFunction
codeartifact: GetPackageVersionAsset
codeguruprofiler: GetProfile
dataexchange: SendApiAsset
datazone: GetLineageEvent
ebs: GetSnapshotBlock
geo-maps: GetGlyphs GetSprites GetStaticMap GetStyleDescriptor GetTile
glacier: GetJobOutput
iot-data: DeleteThingShadow GetThingShadow UpdateThingShadow
iotwireless: GetPositionEstimate GetResourcePosition
kinesis-video-archived-media: GetClip GetMediaForFragmentList
kinesis-video-media: GetMedia
lakeformation: GetWorkUnitResults
lambda: Invoke
lex-runtime: PostContent PutSession
lexv2-runtime: PutSession RecognizeUtterance
location: GetMapGlyphs GetMapSprites GetMapStyleDescriptor GetMapTile
medialive: DescribeInputDeviceThumbnail
mediastore-data: GetObject
medical-imaging: GetImageFrame GetImageSetMetadata
neptune-graph: ExecuteQuery
neptunedata: ExecuteGremlinExplainQuery ExecuteGremlinProfileQuery
  ExecuteOpenCypherExplainQuery
omics: GetReadSet GetReference
polly: SynthesizeSpeech
s3: GetBucketPolicy GetObject GetObjectAnnotation GetObjectTorrent
sagemaker-geospatial: GetTile
sagemaker-inference-router-runtime: InvokeInferenceRouter
sagemaker-runtime: InvokeEndpoint
sagemakerjobruntime: Sample SampleWithResponseStream
sagemakertrainingsessionruntime: SampleTrainingSession
  SampleTrainingSessionWithResponseStream
schemas: GetCodeBindingSource
workmailmessageflow: GetRawMessageContent
""")
"""By service: operations whose answer's body is not a document of the protocol but
what a user or a function put there: objects, exports, results."""

EVENT_STREAMS = _table("""
bedrock-agent-runtime: AgenticRetrieveStream InvokeAgent InvokeFlow
  InvokeInlineAgent OptimizePrompt RetrieveAndGenerateStream
bedrock-agentcore: InvokeAgentRuntimeCommand InvokeCodeInterpreter InvokeHarness
bedrock-runtime: ConverseStream InvokeModelWithBidirectionalStream
  InvokeModelWithResponseStream
connecthealth: StartMedicalScribeListeningSession
devops-agent: SendMessage
healthlake: UpdateProfileWithAgent
iotsitewise: InvokeAssistant
kinesis: SubscribeToShard
lambda: InvokeWithResponseStream
lexv2-runtime: StartConversation
logs: GetLogObject StartLiveTail
polly: StartSpeechSynthesisStream
qbusiness: Chat
s3: SelectObjectContent
sagemaker-runtime: InvokeEndpointWithResponseStream
""")
"""By service: operations that answer with an event stream."""
