"""Policies are checked whole at load, and every fault has a file and a line."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeep import limits
from gatekeep.errors import OperatorError
from gatekeep.policy.labels import Labels
from gatekeep.policy.policies import PolicySet, compile_policies
from gatekeep.policy.source import read_files, split_policies
from gatekeep.policy.vocabulary import CONTEXT, Vocabulary
from gatekeep.settings import ResourceSettings
from tests.policy.setting import SomeActions

VOCABULARY = Vocabulary(SomeActions())
NO_LABELS = Labels(())
READ = """
// Agents may read.
@id("read")
@mask("pii")
permit (principal in Group::"agents", action in Action::"Read", resource);
"""
NEVER = """
@id("never")
forbid (principal, action, resource)
when { context.hour_utc > 22 || context has ticket };
"""


def compiled(*texts: str, labels: Labels = NO_LABELS) -> PolicySet:
    return compile_policies(
        {Path(f"{index}.cedar"): text for index, text in enumerate(texts)},
        vocabulary=VOCABULARY,
        labels=labels,
        profiles={"pii"},
        detectors={"pan"},
    )


def faults(*texts: str) -> list[str]:
    with pytest.raises(OperatorError) as caught:
        compiled(*texts)
    assert caught.value.code == "policy.text"
    return caught.value.message.split("\n")


def test_policies_keep_their_ids_obligations_and_places():
    policies = compiled(READ, NEVER)
    assert list(policies.policies) == ["read", "never"]
    read, never = policies.policies.values()
    assert (read.permits, read.line, read.obligations.mask) == (True, 3, ("pii",))
    assert (never.permits, never.path, never.line) == (False, Path("1.cedar"), 2)
    assert policies.mentioned == ("ticket", "hour_utc")


@pytest.mark.parametrize(
    ("condition", "mentioned"),
    [
        ("true", ()),
        ("resource.labels.contains(principal.subject)", ()),
        ('context["service"] == "s3"', ("service",)),
        ('if context.changes then false else context.region == "x"',
         ("region", "changes")),
        ("context has justification", ("justification",)),
        ('context.source_ip.isInRange(ip("10.0.0.0/8"))', ("source_ip",)),
        ("{a: [context.hour_utc]} == {a: [3]}", ("hour_utc",)),
        ("context == context", tuple(CONTEXT)),
    ],
)  # fmt: skip
def test_mentioned_are_exactly_the_attributes_that_are_read(condition, mentioned):
    text = f'@id("a") permit(principal, action, resource) when {{ {condition} }};'
    assert compiled(text).mentioned == mentioned
    text = f'@id("a") forbid(principal, action, resource) unless {{ {condition} }};'
    assert compiled(text).mentioned == mentioned


SCOPE = "(principal, action, resource)"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (f"\npermit{SCOPE};", '2: expected an @id("…") before the policy'),
        (f"@id permit{SCOPE};",
         "1: @id: expected letters, digits and `._-`, at most 64, not ``"),
        (f'@id("a b") permit{SCOPE};',
         "1: @id: expected letters, digits and `._-`, at most 64, not `a b`"),
        (f'@id("{"a" * 65}") permit{SCOPE};',
         "1: @id: expected letters, digits and `._-`, at most 64, not "
         f"`{'a' * 65}`"),
        (f'@id("a")\n@maks("pii")\npermit{SCOPE};',
         "1: @maks: unknown annotation; expected one of @id, @mask, @approve, "
         "@justify, @capture, @block_on"),
        (f'@id("a")\n@mask("pan")\npermit{SCOPE};',
         "2: @mask: there is no profile `pan` (there is: pii)"),
        (f'@id("a") @block_on("ssn") permit{SCOPE};',
         "1: @block_on: there is no detector `ssn` (there is: pan)"),
        (f'@id("a") @approve("two of dba") permit{SCOPE};',
         '1: @approve: expected a quorum like "2 of dba", not `two of dba`'),
        (f'@id("a") @mask("pii") forbid{SCOPE};',
         "1: @mask: a forbid has no obligations"),
        ('@id("a") permit(principal,\naction == Action::"s3:GetObjcet", resource);',
         "2: there is no action or group of actions `s3:GetObjcet`; "
         "did you mean `s3:GetObject`"),
        ('@id("a") permit(principal, action == Action::"S3:getobject", resource);',
         "1: there is no action or group of actions `S3:getobject`; "
         "did you mean `s3:GetObject`"),
        ('@id("a") permit(principal, action in Action::"s4:*", resource);',
         "1: there is no action or group of actions `s4:*`; did you mean `s3:*`"),
        ('@id("a") permit(principal, action in Action::"s3:Tagging", resource);',
         "1: there is no action or group of actions `s3:Tagging`"),
        (f'@id("a") permit{SCOPE}\nwhen {{\n  action in Action::"Reed" }};',
         "3: there is no action or group of actions `Reed`; did you mean `Read`"),
        (f'@id("a") permit{SCOPE}\nwhen {{\n\n  context.tickett == "" }};',
         "4: attribute `tickett` in context not found; did you mean `ticket`"),
        (f'@id("a") permit{SCOPE}\nunless {{ context has tickett }};',
         "2: attribute `tickett` in context not found; did you mean `ticket`"),
        (f'@id("a") permit{SCOPE}\nunless {{ resource has owner }};',
         "2: attribute `owner` in resource not found"),
        (f'@id("a") permit{SCOPE}\nwhen {{ resource.label == "x" }};',
         "2: attribute `label` in resource not found; did you mean `labels`"),
        (f'@id("a") permit{SCOPE} when {{ context.hour_utc > "1" }};',
         "1: unexpected type: expected Long but saw String"),
        ('@id("a") permit(principal == User::"x", action, resource);',
         "1: unrecognized entity type `User`"),
        ('@id("a") permit(principal == Resource::"x", action, resource);',
         "1: unable to find an applicable action given the policy scope constraints"),
        ('@id("a") permit(principal == ?principal, action, resource);',
         "1: expected a policy without ?principal and ?resource slots"),
        (f'@id("a") permit{SCOPE}', "1: unexpected end of input"),
        (f'@id("a") permit{SCOPE} when {{ "open }};', "1: invalid token"),
        ('@id("a") permit(principal,\n  action,\n  resurce);',
         "3: found an invalid variable in the policy scope: resurce"),
        ("hello\nworld", "2: unexpected token `world`"),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_its_line(text, fault):
    assert faults("// a comment; with a semicolon\n" + text) == [
        f"0.cedar:{_one_further(fault)}"
    ]


def _one_further(fault: str) -> str:
    line, _, rest = fault.partition(":")
    return f"{int(line) + 1}:{rest}"


def test_all_faults_of_all_files_are_reported_at_once():
    assert faults(
        f"permit{SCOPE};\n{READ}",
        f'\n@id("x") permit{SCOPE} when {{ context.zork }};\nnonsense;',
    ) == [
        '0.cedar:1: expected an @id("…") before the policy',
        "1.cedar:2: attribute `zork` in context not found",
        "1.cedar:3: unexpected token `;`",
    ]


def test_an_id_is_used_once_over_all_files():
    assert faults(READ, READ) == ['1.cedar:3: @id("read") is already used at 0.cedar:3']


def test_the_version_is_of_what_decides_and_of_nothing_else():
    version = compiled(READ, NEVER).version
    assert version == compiled(NEVER + READ).version
    assert version == compiled(READ.replace("// Agents may read.", ""), NEVER).version
    assert (
        version
        == compiled(READ.replace("\n", " \n\t").replace("//", "// "), NEVER).version
    )
    assert len(version) == 16
    assert int(version, 16) >= 0
    others = [
        compiled(READ),
        compiled(READ.replace("Read", "List"), NEVER),
        compiled(READ.replace('@mask("pii")', ""), NEVER),
        compiled(READ, NEVER.replace("22", "21")),
        compiled(READ.replace("read", "Read"), NEVER),
        compiled(
            READ, NEVER, labels=Labels([ResourceSettings(arn="*", labels=("a",))])
        ),
    ]
    assert len({version, *(other.version for other in others)}) == 7


def test_labels_in_another_order_are_the_same_version():
    one = ResourceSettings(arn="arn:aws:s3:::a", labels=("x", "y"))
    same = ResourceSettings(arn="arn:aws:s3:::a", labels=("y", "x"))
    other = ResourceSettings(arn="*", labels=("z",))
    assert (
        compiled(READ, labels=Labels([one, other])).version
        == compiled(READ, labels=Labels([other, same])).version
    )


policy_texts = st.sampled_from(
    [
        READ,
        NEVER,
        "// only a comment",
        '"; // no end"',
        "\n\n",
        "permit(a;b);",
        '"\\";"',
    ]
)


@given(st.lists(policy_texts))
def test_policies_are_cut_without_loss_and_on_their_lines(texts):
    text = "".join(f"{each}\n" for each in texts)
    lines = text.split("\n")
    for policy in split_policies(Path("x"), text):
        first = policy.text.split("\n")[0]
        assert first in lines[policy.line - 1]
        assert policy.text in text
        assert not policy.text.startswith(("//", " ", "\n"))


def assert_policy_set_or_faults(text):
    error = None
    try:
        compiled(text)
    except OperatorError as caught:
        error = caught
    if error:
        assert error.code == "policy.text"
        assert all(line.startswith("0.cedar:") for line in error.message.split("\n"))


@given(st.text(max_size=60))
def test_any_text_is_a_policy_set_or_an_operator_error(text):
    assert_policy_set_or_faults(text)


fragments = st.sampled_from(
    ["permit", "forbid", SCOPE, ";", "when {", "}", 'Action::"Read"', "context", ".",
     "ticket", "==", '"', "//", "\n", '@id("a")', "@mask", "has", "(", ")", "?", "\\",
     "action", "principal", "resource", "in", "[", "]", "1", "like", "*", "é", "\x00"]
)  # fmt: skip


@given(st.lists(fragments, max_size=20).map(" ".join))
def test_any_tokens_are_a_policy_set_or_an_operator_error(text):
    assert_policy_set_or_faults(text)


def test_files_are_read_in_name_order_and_others_left_alone(tmp_path):
    for name in ("b.cedar", "a.cedar", "notes.txt", "c.cedar~"):
        (tmp_path / name).write_text(name)
    assert read_files(tmp_path) == {"a.cedar": "a.cedar", "b.cedar": "b.cedar"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff", "a.cedar: expected UTF-8"),
        (
            b" " * (limits.POLICY_FILE_BYTES_MAX + 1),
            "a.cedar: expected at most 1048576",
        ),
    ],
)
def test_a_file_that_is_no_policy_file_is_named(tmp_path, content, message):
    (tmp_path / "a.cedar").write_bytes(content)
    with pytest.raises(OperatorError, match=message):
        read_files(tmp_path)


def test_a_missing_directory_and_an_empty_one_are_named(tmp_path):
    with pytest.raises(OperatorError, match="expected at least one file"):
        read_files(tmp_path)
    with pytest.raises(OperatorError, match="nowhere: No such file"):
        read_files(tmp_path / "nowhere")
    (tmp_path / "a.cedar").mkdir()
    with pytest.raises(OperatorError, match=r"a.cedar: Is a directory"):
        read_files(tmp_path)
