"""The policy set in force: parsed, checked, named, and ready to be asked.

Policies carry their own ``@id`` into Cedar in place of the position it would give
them, so its diagnostics name policies as their authors do.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib.metadata
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import cedarpy
from cedarpy import pst

from gatekeep.errors import OperatorError
from gatekeep.policy.decision import Obligations, obligations_of
from gatekeep.policy.labels import Labels
from gatekeep.policy.source import PolicyText, split_policies
from gatekeep.policy.vocabulary import ATTRIBUTES, CONTEXT, Vocabulary

OBLIGATIONS = ("mask", "approve", "justify", "capture", "block_on")
"""Annotations that a permit may carry beside its ``@id``."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

_NEVER_APPLIES = "unable to find an applicable action"

_FORMAT = 1
"""Counted up when the same policies and request may give another decision."""


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy of the set."""

    id: str
    permits: bool
    """True for ``permit``, false for ``forbid``."""
    obligations: Obligations
    path: Path
    line: int


@dataclass(frozen=True, slots=True)
class PolicySet:
    """Policies that were checked together."""

    version: str
    """16 hex digits; the same for policies and labels that decide the same, however
    they are spaced, commented, ordered or spread over files."""
    policies: Mapping[str, Policy]
    """By id, in the order of the files."""
    mentioned: tuple[str, ...]
    """The attributes of the context that a policy reads, in the order of `CONTEXT`;
    no other can change a decision."""
    cedar: cedarpy.PolicySet


def compile_policies(
    texts: Mapping[Path, str],
    *,
    vocabulary: Vocabulary,
    labels: Labels,
    profiles: Collection[str] | None,
    detectors: Collection[str] = (),
) -> PolicySet:
    """Return the set that these files hold.

    Args:
        texts: file contents by path; the path is what errors name.
        vocabulary: the actions that policies may name.
        labels: part of the version, because they change what policies decide.
        profiles: what ``@mask`` may name; None: not checked.
        detectors: what ``@block_on`` may name.

    Raises:
        OperatorError: one line for each thing that is wrong: ``file:line: what``.
    """
    errors: list[str] = []
    parsed: dict[str, _Parsed] = {}
    for path, text in texts.items():
        for source in split_policies(path, text):
            try:
                policy = _parse(source, vocabulary, profiles, detectors)
                if twin := parsed.get(policy.id):
                    raise ValueError(
                        f'@id("{policy.id}") is already used at '
                        f"{twin.source.path}:{twin.source.line}"
                    )
            except ValueError as error:
                errors.append(_place(source, str(error)))
            else:
                parsed[policy.id] = policy
    for each in parsed.values():
        errors.extend(_place(each.source, text) for text in _check(each, vocabulary))
    if errors:
        raise OperatorError("policy.text", "\n".join(errors))
    read = {name for each in parsed.values() for name in each.context}
    return PolicySet(
        version=_version(parsed, labels),
        policies={
            each.id: Policy(
                each.id,
                each.permits,
                each.obligations,
                each.source.path,
                each.source.line,
            )
            for each in parsed.values()
        },
        mentioned=tuple(name for name in CONTEXT if name in read),
        cedar=_united(parsed),
    )


def _united(parsed: Mapping[str, _Parsed]) -> cedarpy.PolicySet:
    """The set as Cedar evaluates it, each policy under its own id."""
    policies = {each.id: each.json for each in parsed.values()}
    united = {"templates": {}, "staticPolicies": policies, "templateLinks": []}
    try:
        return cedarpy.PolicySet.from_json_str(json.dumps(united))
    except ValueError as error:
        raise OperatorError("policy.text", f"the policies as a set: {error}") from error


def _check(policy: _Parsed, vocabulary: Vocabulary) -> list[str]:
    """What Cedar's validator finds wrong with a policy.

    The schema holds what this one policy mentions: a policy is checked for each
    action that it could apply to, so the actions of others would only cost time.
    """
    schema = cedarpy.Schema.from_json_str(vocabulary.schema(policy.actions))
    problems = cedarpy.validate_policies(policy.source.text, schema).errors
    messages = [problem.error for problem in problems]
    if len(messages) > 1:
        # What is wrong with the scope is said; that it never applies follows.
        messages = [text for text in messages if _NEVER_APPLIES not in text]
    return messages


def _place(source: PolicyText, message: str) -> str:
    message = message.removeprefix("for policy `policy0`, ")
    line = source.line_of(message)
    return f"{source.path}:{line}: {' '.join(message.split())}"


def _version(parsed: Mapping[str, _Parsed], labels: Labels) -> str:
    content = [
        _FORMAT,
        importlib.metadata.version("cedarpy"),
        labels.settings,
        {each.id: each.json for each in parsed.values()},
    ]
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class _Parsed:
    """A policy that stands on its own; what needs the others is still to check."""

    id: str
    permits: bool
    obligations: Obligations
    source: PolicyText
    json: dict[str, Any]
    """The policy in Cedar's JSON form."""
    actions: frozenset[str]
    """Actions and groups of actions it names."""
    context: frozenset[str]
    """Attributes of the context it reads."""


def _parse(
    source: PolicyText,
    vocabulary: Vocabulary,
    profiles: Collection[str] | None,
    detectors: Collection[str],
) -> _Parsed:
    """Parse one policy; a ValueError says what is wrong with it."""
    nodes = cedarpy.policies_to_pst(source.text)
    if nodes.templates:
        raise ValueError("expected a policy without ?principal and ?resource slots")
    (node,) = nodes.static_policies.values()
    (form,) = json.loads(cedarpy.policies_to_json_str(source.text))[
        "staticPolicies"
    ].values()
    if "id" not in node.annotations:
        raise ValueError('expected an @id("…") before the policy')
    policy_id = node.annotations["id"]
    if _ID.fullmatch(policy_id) is None:
        raise ValueError(
            f"@id: expected letters, digits and `._-`, at most 64, not `{policy_id}`"
        )
    obligations = _obligations(node, profiles, detectors)
    actions = {uid.id for uid in pst.entity_uids(node) if str(uid.type) == "Action"}
    for name in sorted(actions):
        vocabulary.check_action(name)
    return _Parsed(
        policy_id,
        node.effect == "permit",
        obligations,
        source,
        form,
        frozenset(actions),
        frozenset(_context_attributes(node)),
    )


def _obligations(
    node: pst.Template,
    profiles: Collection[str] | None,
    detectors: Collection[str],
) -> Obligations:
    for name in node.annotations:
        if name != "id" and name not in OBLIGATIONS:
            known = ", ".join(f"@{known}" for known in ("id", *OBLIGATIONS))
            raise ValueError(f"@{name}: unknown annotation; expected one of {known}")
        if name in OBLIGATIONS and node.effect == "forbid":
            raise ValueError(f"@{name}: a forbid has no obligations")
    obligations = obligations_of(node.annotations)
    _check_names("mask", "profile", obligations.mask, profiles)
    _check_names("block_on", "detector", obligations.block_on, detectors)
    return obligations


def _check_names(
    annotation: str, what: str, names: Iterable[str], known: Collection[str] | None
) -> None:
    for name in names:
        if known is not None and name not in known:
            choices = ", ".join(sorted(known)) or "none"
            raise ValueError(
                f"@{annotation}: there is no {what} `{name}` (there is: {choices})"
            )


def _context_attributes(node: object) -> Iterator[str]:
    """Yield the attributes of the context that a policy's nodes read.

    Raises:
        ValueError: an attribute of a request's parts that no request has. Cedar's
            validator lets a ``has`` pass, as always false, and a misspelt one in an
            ``unless`` would then permit everything.
    """
    match node:
        case (
            pst.GetAttr(base=pst.Var(name=variable), attr=attribute)
            | pst.HasAttr(base=pst.Var(name=variable), attrs=(attribute, *_))
        ):
            known = ATTRIBUTES[variable]
            if attribute not in known:
                near = difflib.get_close_matches(attribute, known, n=1)
                meant = f"; did you mean `{near[0]}`" if near else ""
                raise ValueError(
                    f"attribute `{attribute}` in {variable} not found{meant}"
                )
            if variable == "context":
                yield attribute
            return
        case pst.Var(name="context"):
            # The record as a whole: every value of it counts.
            yield from CONTEXT
            return
    if isinstance(node, Mapping):
        children: Iterable[object] = node.values()
    elif isinstance(node, tuple):
        children = node
    elif is_dataclass(node):
        children = [getattr(node, field.name) for field in fields(node)]
    else:
        return
    for child in children:
        yield from _context_attributes(child)
