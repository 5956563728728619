"""What DynamoDB's batches, transactions and PartiQL need: each table and verb."""

from __future__ import annotations

from gatekeep.aws.arns import UNKNOWN, Place, look_up
from gatekeep.aws.needs import Pairs, Parameters, Rule
from gatekeep.aws.partiql import statement_target
from gatekeep.aws.readers import refuse


def _table_arn(name: object, place: Place) -> str:
    if type(name) is not str or not name:
        return f"arn:{place.partition}:dynamodb:{place.region}:{place.account_id}:table/{UNKNOWN}"
    if name.startswith("arn:"):
        return name
    return (
        f"arn:{place.partition}:dynamodb:{place.region}:{place.account_id}:table/{name}"
    )


def _dynamodb_batch(action: str) -> Rule:
    def needs(parameters: Parameters, place: Place) -> Pairs:
        tables = parameters.get("RequestItems")
        if not tables:
            refuse("the batch names no table")
        for table in tables:
            yield action, _table_arn(table, place)

    return needs


_TRANSACTION = {
    "Get": "dynamodb:GetItem",
    "Put": "dynamodb:PutItem",
    "Update": "dynamodb:UpdateItem",
    "Delete": "dynamodb:DeleteItem",
    "ConditionCheck": "dynamodb:ConditionCheckItem",
}


def _dynamodb_transaction(parameters: Parameters, place: Place) -> Pairs:
    items = parameters.get("TransactItems")
    if not items:
        refuse("the transaction holds no item")
    for item in items:
        if not item:
            refuse("an item of the transaction is empty")
        for kind, inner in item.items():
            yield _TRANSACTION[kind], _table_arn(inner.get("TableName"), place)


def _partiql(*path: str) -> Rule:
    def needs(parameters: Parameters, place: Place) -> Pairs:
        statements = look_up(parameters, list(path))
        if not statements:
            refuse("the call holds no PartiQL statement")
        for statement in statements:
            action, table, index = statement_target(statement)
            arn = _table_arn(table, place)
            yield action, arn
            if index:
                yield action, f"{arn}/index/{index}"

    return needs


DYNAMODB_RULES: dict[str, Rule] = {
    "BatchExecuteStatement": _partiql("Statements", "*", "Statement"),
    "BatchGetItem": _dynamodb_batch("dynamodb:BatchGetItem"),
    "BatchWriteItem": _dynamodb_batch("dynamodb:BatchWriteItem"),
    "ExecuteStatement": _partiql("Statement"),
    "ExecuteTransaction": _partiql("TransactStatements", "*", "Statement"),
    "TransactGetItems": _dynamodb_transaction,
    "TransactWriteItems": _dynamodb_transaction,
}
"""By operation."""
