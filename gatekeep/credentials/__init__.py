"""The AWS credentials that requests are signed with upstream: one set a session."""
