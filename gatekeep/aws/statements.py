"""SQL and PartiQL texts that a call carries, for policy to read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gatekeep.aws.arns import look_up

_CARRIERS: dict[tuple[str, str], tuple[str, ...]] = {
    ("athena", "StartQueryExecution"): ("QueryString",),
    ("athena", "CreateNamedQuery"): ("QueryString",),
    ("athena", "UpdateNamedQuery"): ("QueryString",),
    ("athena", "CreatePreparedStatement"): ("QueryStatement",),
    ("athena", "UpdatePreparedStatement"): ("QueryStatement",),
    ("dynamodb", "ExecuteStatement"): ("Statement",),
    ("dynamodb", "BatchExecuteStatement"): ("Statements.*.Statement",),
    ("dynamodb", "ExecuteTransaction"): ("TransactStatements.*.Statement",),
    ("rds-data", "ExecuteStatement"): ("sql",),
    ("rds-data", "BatchExecuteStatement"): ("sql",),
    ("rds-data", "ExecuteSql"): ("sqlStatements",),
    ("redshift-data", "ExecuteStatement"): ("Sql",),
    ("redshift-data", "BatchExecuteStatement"): ("Sqls",),
    ("s3", "SelectObjectContent"): ("Expression",),
    ("timestream-query", "Query"): ("QueryString",),
    ("timestream-query", "PrepareQuery"): ("QueryString",),
    ("timestream-query", "CreateScheduledQuery"): ("QueryString",),
}
"""Parameters that hold statements, by service and operation."""


def statements_of(
    service: str, operation: str, parameters: Mapping[str, Any]
) -> tuple[str, ...]:
    """The statements of a call, in order; empty when it carries none."""
    paths = _CARRIERS.get((service, operation))
    if paths is None:
        return ()
    return tuple(
        text for path in paths for text in look_up(parameters, path.split("."))
    )
