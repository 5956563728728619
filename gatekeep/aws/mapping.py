"""Where operation and IAM action differ: the overrides, as data.

An entry is a list of actions, each with the resource type it is asked for when IAM
lists more types than the operation touches (``"s3:GetObject object"``). What follows
from the values of parameters is in `special`. Sources: the API references' "Required
permissions" and the Service Authorization Reference.
"""

from __future__ import annotations

from gatekeep.aws.mapping_s3 import S3_ACTIONS, S3_CONTROL_ACTIONS

PREFIXES: dict[str, str] = {
    "account-access-runtime": "account-access",
    "apigatewaymanagementapi": "execute-api",
    "applicationcostprofiler": "application-cost-profiler",
    "cloudcontrol": "cloudformation",
    "cloudwatch": "cloudwatch",
    "connectparticipant": "connectparticipant",
    "iot-data": "iot",
    "iot-jobs-data": "iotjobsdata",
    "iotsecuretunneling": "iot",
    "keyspaces": "cassandra",
    "mturk": "mechanicalturk",
    "neptunedata": "neptune-db",
    "partnercentral-account": "partnercentral",
    "partnercentral-benefits": "partnercentral",
    "partnercentral-channel": "partnercentral",
    "partnercentral-selling": "partnercentral",
    "resourcegroupstaggingapi": "tag",
    "sso": "sso-portal",
}
"""IAM prefixes that are neither the signing name nor botocore's name."""

_BUDGETS = {
    operation: ["budgets:ViewBudget" if operation[0] == "D" else "budgets:ModifyBudget"]
    for operation in (
        "CreateBudget", "CreateNotification", "CreateSubscriber", "UpdateBudget",
        "UpdateNotification", "UpdateSubscriber", "DescribeBudget",
        "DescribeBudgetNotificationsForAccount", "DescribeBudgetPerformanceHistory",
        "DescribeBudgets", "DescribeNotificationsForBudget",
        "DescribeSubscribersForNotification",
    )
} | {
    operation: ["budgets:ModifyBudget"]
    for operation in ("DeleteBudget", "DeleteNotification", "DeleteSubscriber")
}  # fmt: skip

_BEDROCK_RUNTIME = {
    "Converse": ["bedrock:InvokeModel"],
    "ConverseStream": ["bedrock:InvokeModelWithResponseStream"],
    "InvokeModelWithBidirectionalStream": ["bedrock:InvokeModelWithResponseStream"],
    "StartAsyncInvoke": ["bedrock:InvokeModel"],
}

_BCM = {
    f"Batch{name}": [f"bcm-pricing-calculator:{name}"]
    for name in (
        "CreateBillScenarioCommitmentModification",
        "CreateBillScenarioUsageModification",
        "CreateWorkloadEstimateUsage",
        "DeleteBillScenarioCommitmentModification",
        "DeleteBillScenarioUsageModification",
        "DeleteWorkloadEstimateUsage",
        "UpdateBillScenarioCommitmentModification",
        "UpdateBillScenarioUsageModification",
        "UpdateWorkloadEstimateUsage",
    )
}

_KEYSPACES = {
    "CreateKeyspace": ["cassandra:Create keyspace"],
    "CreateTable": ["cassandra:Create table"],
    "CreateType": ["cassandra:Create keyspace"],
    "DeleteKeyspace": ["cassandra:Drop keyspace"],
    "DeleteTable": ["cassandra:Drop table"],
    "DeleteType": ["cassandra:Drop keyspace"],
    "GetKeyspace": ["cassandra:Select keyspace"],
    "GetTable": ["cassandra:Select table"],
    "GetTableAutoScalingSettings": ["cassandra:Select table"],
    "GetType": ["cassandra:Select keyspace"],
    "ListKeyspaces": ["cassandra:Select"],
    "ListTables": ["cassandra:Select keyspace"],
    "ListTagsForResource": ["cassandra:Select"],
    "ListTypes": ["cassandra:Select keyspace"],
    "RestoreTable": ["cassandra:Restore table"],
    "UpdateKeyspace": ["cassandra:Alter keyspace"],
    "UpdateTable": ["cassandra:Alter table"],
}

_DMS = {
    "DescribeDataProviders": ["dms:ListDataProviders"],
    "DescribeExtensionPackAssociations": ["dms:ListExtensionPacks"],
    "DescribeInstanceProfiles": ["dms:ListInstanceProfiles"],
    "DescribeMetadataModelAssessments": ["dms:ListMetadataModelAssessments"],
    "DescribeMetadataModelConversions": ["dms:ListMetadataModelConversions"],
    "DescribeMetadataModelExportsAsScript": ["dms:ListMetadataModelExports"],
    "DescribeMetadataModelExportsToTarget": ["dms:ListMetadataModelExports"],
    "DescribeMigrationProjects": ["dms:ListMigrationProjects"],
    "ModifyConversionConfiguration": ["dms:UpdateConversionConfiguration"],
    "ModifyDataProvider": ["dms:UpdateDataProvider"],
    "ModifyInstanceProfile": ["dms:UpdateInstanceProfile"],
    "ModifyMigrationProject": ["dms:UpdateMigrationProject"],
    "StartExtensionPackAssociation": ["dms:AssociateExtensionPack"],
    "StartMetadataModelExportAsScript": ["dms:StartMetadataModelExportAsScripts"],
}

_NEPTUNE_ANY = [
    "neptune-db:ReadDataViaQuery",
    "neptune-db:WriteDataViaQuery",
    "neptune-db:DeleteDataViaQuery",
]
"""A graph query may read, write or delete, and the gate does not parse it."""

_NEPTUNE_DATA = {
    "CancelGremlinQuery": ["neptune-db:CancelQuery"],
    "CancelOpenCypherQuery": ["neptune-db:CancelQuery"],
    "DeletePropertygraphStatistics": ["neptune-db:DeleteStatistics"],
    "DeleteSparqlStatistics": ["neptune-db:DeleteStatistics"],
    "ExecuteFastReset": ["neptune-db:ResetDatabase"],
    "ExecuteGremlinExplainQuery": ["neptune-db:ReadDataViaQuery"],
    "ExecuteGremlinProfileQuery": _NEPTUNE_ANY,
    "ExecuteGremlinQuery": _NEPTUNE_ANY,
    "ExecuteOpenCypherExplainQuery": _NEPTUNE_ANY,
    "ExecuteOpenCypherQuery": _NEPTUNE_ANY,
    "GetGremlinQueryStatus": ["neptune-db:GetQueryStatus"],
    "GetMLDataProcessingJob": ["neptune-db:GetMLDataProcessingJobStatus"],
    "GetMLEndpoint": ["neptune-db:GetMLEndpointStatus"],
    "GetMLModelTrainingJob": ["neptune-db:GetMLModelTrainingJobStatus"],
    "GetMLModelTransformJob": ["neptune-db:GetMLModelTransformJobStatus"],
    "GetOpenCypherQueryStatus": ["neptune-db:GetQueryStatus"],
    "GetPropertygraphStatistics": ["neptune-db:GetStatisticsStatus"],
    "GetPropertygraphStream": ["neptune-db:GetStreamRecords"],
    "GetPropertygraphSummary": ["neptune-db:GetGraphSummary"],
    "GetRDFGraphSummary": ["neptune-db:GetGraphSummary"],
    "GetSparqlStatistics": ["neptune-db:GetStatisticsStatus"],
    "GetSparqlStream": ["neptune-db:GetStreamRecords"],
    "ListGremlinQueries": ["neptune-db:GetQueryStatus"],
    "ListOpenCypherQueries": ["neptune-db:GetQueryStatus"],
    "ManagePropertygraphStatistics": ["neptune-db:ManageStatistics"],
    "ManageSparqlStatistics": ["neptune-db:ManageStatistics"],
}

_NEPTUNE_GRAPH = {
    "ExecuteQuery": [
        "neptune-graph:ReadDataViaQuery",
        "neptune-graph:WriteDataViaQuery",
        "neptune-graph:DeleteDataViaQuery",
    ],
    "GetQuery": ["neptune-graph:GetQueryStatus"],
}

ACTIONS: dict[str, dict[str, list[str]]] = {
    "accessanalyzer": {
        "GetFindingV2": ["access-analyzer:GetFinding"],
        "ListFindingsV2": ["access-analyzer:ListFindings"],
    },
    "apigatewaymanagementapi": {
        "DeleteConnection": ["execute-api:ManageConnections"],
        "GetConnection": ["execute-api:ManageConnections"],
        "PostToConnection": ["execute-api:ManageConnections"],
    },
    "batch": {
        "CancelJobs": ["batch:CancelJob"],
        "TerminateJobs": ["batch:TerminateJob"],
        "TerminateServiceJobs": ["batch:TerminateServiceJob"],
    },
    "bcm-pricing-calculator": _BCM,
    "bedrock-agent-runtime": {
        "RetrieveAndGenerateStream": ["bedrock:RetrieveAndGenerate"],
    },
    "bedrock-runtime": _BEDROCK_RUNTIME,
    "budgets": _BUDGETS,
    "cloudfront": {
        "CreateDistributionWithTags": [
            "cloudfront:CreateDistribution",
            "cloudfront:TagResource",
        ],
    },
    "cloudsearchdomain": {"UploadDocuments": ["cloudsearch:document"]},
    "customer-profiles": {"BatchPutProfileObject": ["profile:PutProfileObject"]},
    "deadline": {
        "BatchGetJob": ["deadline:GetJob"],
        "BatchGetSession": ["deadline:GetSession"],
        "BatchGetSessionAction": ["deadline:GetSessionAction"],
        "BatchGetStep": ["deadline:GetStep"],
        "BatchGetTask": ["deadline:GetTask"],
        "BatchGetWorker": ["deadline:GetWorker"],
        "BatchUpdateJob": ["deadline:UpdateJob"],
        "BatchUpdateTask": ["deadline:UpdateTask"],
    },
    "detective": {
        "ListOrganizationAdminAccounts": ["detective:ListOrganizationAdminAccount"],
    },
    "dms": _DMS,
    "glue": {
        "BatchPutDataQualityStatisticAnnotation": [
            "glue:PutDataQualityStatisticAnnotation"
        ],
    },
    "iotfleetwise": {
        "BatchCreateVehicle": ["iotfleetwise:CreateVehicle"],
        "BatchUpdateVehicle": ["iotfleetwise:UpdateVehicle"],
    },
    "keyspaces": _KEYSPACES,
    "lambda": {
        "GetLayerVersionByArn": ["lambda:GetLayerVersion"],
        "Invoke": ["lambda:InvokeFunction"],
        "InvokeAsync": ["lambda:InvokeFunction"],
        "InvokeWithResponseStream": ["lambda:InvokeFunction"],
    },
    "mediaconnect": {
        "BatchGetRouterInput": ["mediaconnect:GetRouterInput"],
        "BatchGetRouterNetworkInterface": ["mediaconnect:GetRouterNetworkInterface"],
        "BatchGetRouterOutput": ["mediaconnect:GetRouterOutput"],
    },
    "neptune-graph": _NEPTUNE_GRAPH,
    "neptunedata": _NEPTUNE_DATA,
    "quicksight": {
        "DescribeAnalysisDefinition": ["quicksight:DescribeAnalysis"],
        "DescribeDashboardDefinition": ["quicksight:DescribeDashboard"],
        "DescribeTemplateDefinition": ["quicksight:DescribeTemplate"],
    },
    "redshift-data": {"GetStatementResultV2": ["redshift-data:GetStatementResult"]},
    "s3": S3_ACTIONS,
    "s3control": S3_CONTROL_ACTIONS,
    "sns": {"PublishBatch": ["sns:Publish"]},
    "sqs": {
        "ChangeMessageVisibilityBatch": ["sqs:ChangeMessageVisibility"],
        "DeleteMessageBatch": ["sqs:DeleteMessage"],
        "SendMessageBatch": ["sqs:SendMessage"],
    },
    "verifiedpermissions": {
        "BatchIsAuthorized": ["verifiedpermissions:IsAuthorized"],
        "BatchIsAuthorizedWithToken": ["verifiedpermissions:IsAuthorizedWithToken"],
        "BatchGetPolicy": ["verifiedpermissions:GetPolicy"],
    },
    "vpc-lattice": {"BatchUpdateRule": ["vpc-lattice:UpdateRule"]},
}
"""Actions by service and operation, where not the one of the operation's name."""

ROLES_NOT_PASSED = frozenset((
    "accessanalyzer", "account-access", "account-access-runtime", "cognito-identity",
    "iam-toolbox", "lakeformation", "organizations", "sso", "sso-admin", "sts",
))  # fmt: skip
"""Services whose role parameters say who is meant, not what a service may become."""

_WITH_VERBS = ("apigateway", "apigatewayv2")


def actions_of(service: str, operation: str) -> list[str] | None:
    """Actions of an operation, or None when it needs the one of its own name."""
    return ACTIONS.get(service, {}).get(operation)


def verb_template(service: str, method: str, uri: str) -> tuple[str, str] | None:
    """API Gateway's action and ARN template: the HTTP verb on the path.

    IAM knows these operations only as ``apigateway:GET`` and the like, on an ARN
    that is the path (the API Gateway developer guide, "ARN format of API Gateway
    resources").
    """
    if service not in _WITH_VERBS:
        return None
    path = uri.partition("?")[0].removeprefix("/v2").replace("+}", "}")
    return (
        f"apigateway:{method}",
        "arn:${Partition}:apigateway:${Region}::" + path.replace("{", "${"),
    )


_RDS = {
    "cluster": ("DBClusterIdentifier",),
    "cluster-endpoint": ("DBClusterEndpointIdentifier",),
    "cluster-pg": ("DBClusterParameterGroupName",),
    "cluster-snapshot": ("DBClusterSnapshotIdentifier",),
    "db": ("DBInstanceIdentifier",),
    "es": ("SubscriptionName",),
    "global-cluster": ("GlobalClusterIdentifier",),
    "og": ("OptionGroupName",),
    "pg": ("DBParameterGroupName",),
    "proxy": ("DBProxyName",),
    "proxy-endpoint": ("DBProxyEndpointName",),
    "secgrp": ("DBSecurityGroupName",),
    "snapshot": ("DBSnapshotIdentifier",),
    "subgrp": ("DBSubnetGroupName",),
}

ALIASES: dict[str, dict[str, tuple[str, ...]]] = {
    # prefix → "kind Variable" or "Variable" → parameters, by name or dotted path
    "athena": {
        "WorkGroupName": ("WorkGroup", "Name"),
        "DataCatalogName": ("CatalogName", "DataCatalogName", "Name"),
    },
    "autoscaling": {
        "GroupFriendlyName": ("AutoScalingGroupName", "AutoScalingGroupNames"),
        "LaunchConfigurationFriendlyName": ("LaunchConfigurationName",),
    },
    "bedrock": {
        "foundation-model ResourceId": ("modelId", "modelIdentifier"),
    },
    "cassandra": {
        "KeyspaceName": ("keyspaceName",),
        "TableName": ("tableName",),
    },
    "cloudwatch": {"InsightRuleName": ("RuleName", "RuleNames")},
    "dynamodb": {
        "table TableName": (
            "TableName",
            "TableArn",
            "SourceTableName",
            "SourceTableArn",
            "TargetTableName",
            "GlobalTableName",
            "TableCreationParameters.TableName",
            "ResourceArn",
        ),
    },
    "ec2": {
        "SecurityGroupId": (
            "GroupId",
            "GroupIds",
            "SecurityGroupId",
            "SecurityGroupIds",
        ),
        "KeyPairName": ("KeyName",),
        "placement-group PlacementGroupName": ("GroupName",),
    },
    "ecs": {"TaskDefinitionFamilyName": ("family",)},
    "iam": {
        "OidcProviderName": ("OpenIDConnectProviderArn",),
        "MfaTokenIdWithPath": ("SerialNumber", "VirtualMFADeviceName"),
    },
    "kms": {"KeyId": ("KeyId", "TargetKeyId"), "Alias": ("AliasName",)},
    "lambda": {"layerversion LayerVersion": ("VersionNumber", "Arn")},
    "mobiletargeting": {
        "AppId": ("ApplicationId",),
        "channel ChannelType": (),
    },
    "s3": {
        "BucketName": ("Bucket",),
        "object ObjectName": ("Key",),
        "accesspointobject AccessPointName": (),
        "accesspointobject ObjectName": (),
        "accesspoint AccessPointName": ("Name",),
    },
    "s3express": {"bucket BucketName": ("Bucket",)},
    "sqs": {"QueueName": ("QueueUrl", "QueueName", "SourceArn")},
    "ssm": {
        "ParameterNameWithoutLeadingSlash": ("Name", "Names", "Path"),
        "maintenancewindow ResourceId": ("WindowId",),
        "patchbaseline PatchBaselineIdResourceId": ("BaselineId",),
        "document DocumentName": ("DocumentName", "Name"),
        "opsitem ResourceId": ("OpsItemId",),
    },
}


def aliases(prefix: str, kind: str, variable: str) -> tuple[str, ...] | None:
    """Parameters that hold a variable of a resource type; None: find them by name."""
    kind = kind.lower()
    if prefix == "rds" and kind in _RDS:
        return _RDS[kind]
    table = ALIASES.get(prefix, {})
    return table.get(f"{kind} {variable}", table.get(variable))
