"""S3's operations and the IAM actions they need, which mostly go by other names.

Source: "Required permissions for Amazon S3 API operations" in the S3 user guide.
What follows from versions, copies and headers is in `needs_s3`.
"""

from __future__ import annotations

S3_ACTIONS = {
    "CompleteMultipartUpload": ["s3:PutObject object"],
    "CreateBucketMetadataConfiguration": ["s3:CreateBucketMetadataTableConfiguration"],
    "CreateMultipartUpload": ["s3:PutObject object"],
    "CreateSession": ["s3express:CreateSession bucket"],
    "DeleteBucketAnalyticsConfiguration": ["s3:PutAnalyticsConfiguration"],
    "DeleteBucketCors": ["s3:PutBucketCORS"],
    "DeleteBucketEncryption": ["s3:PutEncryptionConfiguration"],
    "DeleteBucketIntelligentTieringConfiguration": [
        "s3:PutIntelligentTieringConfiguration"
    ],
    "DeleteBucketInventoryConfiguration": ["s3:PutInventoryConfiguration"],
    "DeleteBucketLifecycle": ["s3:PutLifecycleConfiguration"],
    "DeleteBucketMetadataConfiguration": ["s3:DeleteBucketMetadataTableConfiguration"],
    "DeleteBucketMetricsConfiguration": ["s3:PutMetricsConfiguration"],
    "DeleteBucketOwnershipControls": ["s3:PutBucketOwnershipControls"],
    "DeleteBucketReplication": ["s3:PutReplicationConfiguration"],
    "DeleteBucketTagging": ["s3:PutBucketTagging"],
    "DeletePublicAccessBlock": ["s3:PutBucketPublicAccessBlock"],
    "GetBucketAccelerateConfiguration": ["s3:GetAccelerateConfiguration"],
    "GetBucketAnalyticsConfiguration": ["s3:GetAnalyticsConfiguration"],
    "GetBucketCors": ["s3:GetBucketCORS"],
    "GetBucketEncryption": ["s3:GetEncryptionConfiguration"],
    "GetBucketIntelligentTieringConfiguration": [
        "s3:GetIntelligentTieringConfiguration"
    ],
    "GetBucketInventoryConfiguration": ["s3:GetInventoryConfiguration"],
    "GetBucketLifecycle": ["s3:GetLifecycleConfiguration"],
    "GetBucketLifecycleConfiguration": ["s3:GetLifecycleConfiguration"],
    "GetBucketMetadataConfiguration": ["s3:GetBucketMetadataTableConfiguration"],
    "GetBucketMetricsConfiguration": ["s3:GetMetricsConfiguration"],
    "GetBucketNotificationConfiguration": ["s3:GetBucketNotification"],
    "GetBucketReplication": ["s3:GetReplicationConfiguration"],
    "GetObjectLockConfiguration": ["s3:GetBucketObjectLockConfiguration"],
    "GetPublicAccessBlock": ["s3:GetBucketPublicAccessBlock"],
    "HeadBucket": ["s3:ListBucket bucket"],
    "ListBucketAnalyticsConfigurations": ["s3:GetAnalyticsConfiguration"],
    "ListBucketIntelligentTieringConfigurations": [
        "s3:GetIntelligentTieringConfiguration"
    ],
    "ListBucketInventoryConfigurations": ["s3:GetInventoryConfiguration"],
    "ListBucketMetricsConfigurations": ["s3:GetMetricsConfiguration"],
    "ListBuckets": ["s3:ListAllMyBuckets"],
    "ListDirectoryBuckets": ["s3express:ListAllMyDirectoryBuckets"],
    "ListMultipartUploads": ["s3:ListBucketMultipartUploads bucket"],
    "ListObjectVersions": ["s3:ListBucketVersions bucket"],
    "ListObjects": ["s3:ListBucket bucket"],
    "ListObjectsV2": ["s3:ListBucket bucket"],
    "ListParts": ["s3:ListMultipartUploadParts object"],
    "PutBucketAccelerateConfiguration": ["s3:PutAccelerateConfiguration"],
    "PutBucketAnalyticsConfiguration": ["s3:PutAnalyticsConfiguration"],
    "PutBucketEncryption": ["s3:PutEncryptionConfiguration"],
    "PutBucketIntelligentTieringConfiguration": [
        "s3:PutIntelligentTieringConfiguration"
    ],
    "PutBucketInventoryConfiguration": ["s3:PutInventoryConfiguration"],
    "PutBucketLifecycle": ["s3:PutLifecycleConfiguration"],
    "PutBucketLifecycleConfiguration": ["s3:PutLifecycleConfiguration"],
    "PutBucketMetricsConfiguration": ["s3:PutMetricsConfiguration"],
    "PutBucketNotificationConfiguration": ["s3:PutBucketNotification"],
    "PutBucketReplication": ["s3:PutReplicationConfiguration"],
    "PutObjectLockConfiguration": ["s3:PutBucketObjectLockConfiguration"],
    "PutPublicAccessBlock": ["s3:PutBucketPublicAccessBlock"],
    "SelectObjectContent": ["s3:GetObject object"],
    "UpdateBucketMetadataInventoryTableConfiguration": [
        "s3:UpdateBucketMetadataInventoryTableConfiguration"
    ],
    "UploadPart": ["s3:PutObject object"],
    "WriteGetObjectResponse": ["s3-object-lambda:WriteGetObjectResponse"],
}

S3_CONTROL_ACTIONS = {
    "DeleteBucketLifecycleConfiguration": ["s3-outposts:PutLifecycleConfiguration"],
    "DeleteBucketReplication": ["s3-outposts:PutReplicationConfiguration"],
    "DeleteBucketTagging": ["s3-outposts:PutBucketTagging"],
    "DeletePublicAccessBlock": ["s3:PutAccountPublicAccessBlock"],
    "DeleteAccessPointScope": ["s3express:DeleteAccessPointScope"],
    "GetAccessPointScope": ["s3express:GetAccessPointScope"],
    "PutAccessPointScope": ["s3express:PutAccessPointScope"],
    "GetBucket": ["s3-outposts:GetBucket"],
    "GetBucketLifecycleConfiguration": ["s3-outposts:GetLifecycleConfiguration"],
    "GetBucketReplication": ["s3-outposts:GetReplicationConfiguration"],
    "GetPublicAccessBlock": ["s3:GetAccountPublicAccessBlock"],
    "ListAccessPointsForDirectoryBuckets": [
        "s3express:ListAccessPointsForDirectoryBuckets"
    ],
    "ListRegionalBuckets": ["s3-outposts:ListRegionalBuckets"],
    "PutBucketLifecycleConfiguration": ["s3-outposts:PutLifecycleConfiguration"],
    "PutBucketReplication": ["s3-outposts:PutReplicationConfiguration"],
    "PutPublicAccessBlock": ["s3:PutAccountPublicAccessBlock"],
}
