"""Parameters of the query and ec2 protocols: flat form fields, back into a tree.

``Filter.1.Value.2=x`` becomes nested tables, which the shape then reads. Names are
checked against the model: a field that no parameter asks for is refused (I3).
Sources: botocore's `QuerySerializer` and `EC2Serializer`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gatekeep import limits
from gatekeep.aws.models import SCALARS
from gatekeep.aws.readers import FROM_TEXT, refuse, refuse_container, refuse_member

Branch = dict[str, Any]
"""Part of a form by the next part of the name; the value itself under ``""``."""


class Field:
    """A scalar."""

    __slots__ = ("_read",)

    def __init__(self, index: int) -> None:
        self._read = FROM_TEXT[index]

    def read(self, branch: Branch, depth: int) -> Any:
        """The value."""
        if len(branch) != 1 or "" not in branch:
            refuse("a form field goes on where a single value was expected")
        return self._read(branch[""])


class Group:
    """A structure."""

    __slots__ = ("members",)

    def __init__(self) -> None:
        self.members: dict[str, tuple[str, FormReader]] = {}

    def read(self, branch: Branch, depth: int) -> Any:
        """A dict by modelled names."""
        if depth >= limits.PARAMETER_DEPTH_MAX:
            refuse_container(depth, "a group")
        result: dict[str, Any] = {}
        for part, inner in branch.items():
            member = self.members.get(part)
            if member is None:
                # Ruby and PHP clients write an empty structure as an empty field.
                if part == "" and inner == "":
                    continue
                refuse_member(part)
            if member[0] in result:
                refuse("the form names a parameter twice", "aws.duplicate_key")
            result[member[0]] = member[1].read(inner, depth + 1)
        return result


class Numbered:
    """A list: ``member.1``, ``Item.1`` or just ``1``."""

    __slots__ = ("item", "wrappers")

    def __init__(self, wrappers: tuple[str, ...]) -> None:
        self.wrappers = wrappers
        """Names that may stand between the list and its numbers; ``""``: none."""
        self.item: FormReader = Field(0)

    def read(self, branch: Branch, depth: int) -> Any:
        """A list in the order of the numbers."""
        return [
            self.item.read(inner, depth + 2)
            for inner in _numbered(branch, self.wrappers, depth)
        ]


class Entries:
    """A map: ``entry.1.key``, ``entry.1.value``."""

    __slots__ = ("item", "key", "value", "wrappers")

    def __init__(self, wrappers: tuple[str, ...], key: str, value: str) -> None:
        self.wrappers = wrappers
        self.key = key
        self.value = value
        self.item: FormReader = Field(0)

    def read(self, branch: Branch, depth: int) -> Any:
        """A dict by the entries' keys."""
        result: dict[str, Any] = {}
        for entry in _numbered(branch, self.wrappers, depth):
            if not entry.keys() <= {self.key, self.value} or self.key not in entry:
                refuse("an entry of a map in the form is not a key and a value")
            key = entry[self.key].get("")
            if len(entry[self.key]) != 1 or key is None or key in result:
                refuse("a map in the form has no key or the same key twice")
            if self.value in entry:
                result[key] = self.item.read(entry[self.value], depth + 2)
        return result


FormReader = Field | Group | Numbered | Entries


def _numbered(branch: Branch, wrappers: tuple[str, ...], depth: int) -> list[Branch]:
    """The branches under 1, 2, 3 …; an empty field is an empty list."""
    if depth >= limits.PARAMETER_DEPTH_MAX:
        refuse_container(depth, "a list")
    if branch == {"": ""}:
        return []
    for wrapper in wrappers:
        if wrapper and len(branch) == 1 and wrapper in branch:
            branch = branch[wrapper]
            break
    else:
        if "" not in wrappers:
            refuse("a list in the form is not numbered as the model says")
    numbers: dict[int, Branch] = {}
    for part, inner in branch.items():
        if not (part.isascii() and part.isdigit()) or len(part) > 6:
            refuse("a list in the form is not numbered")
        if int(part) in numbers:
            refuse("a list in the form has one number twice", "aws.duplicate_key")
        numbers[int(part)] = inner
    return [numbers[number] for number in sorted(numbers)]


def build_form_reader(
    reference: list[Any], shapes: Sequence[Any], ec2: bool, built: dict[Any, FormReader]
) -> FormReader:
    """The reader of a compiled reference (`models`) for query or ec2."""
    index, traits = reference
    if index < len(SCALARS):
        return Field(index)
    shape = shapes[index - len(SCALARS)]
    flat = bool(traits.get("flat"))
    key = (index, flat)
    if key in built:
        return built[key]
    if shape[0] == "structure":
        group = built[key] = Group()
        for name, target, inner in shape[1]:
            wire = _wire_name(name, target, inner, shapes, ec2)
            group.members[wire] = (
                name,
                build_form_reader([target, inner], shapes, ec2, built),
            )
        return group
    container: Numbered | Entries
    if shape[0] == "list":
        if ec2 or flat:
            container = Numbered(("",))
        else:
            container = Numbered((shape[1][1].get("name", "member"),))
    else:
        container = Entries(
            ("",) if flat else ("entry",),
            shape[1][1].get("name", "key"),
            shape[2][1].get("name", "value"),
        )
    built[key] = container
    container.item = build_form_reader(shape[-1], shapes, ec2, built)
    return container


def _wire_name(
    name: str, target: int, traits: dict[str, Any], shapes: Sequence[Any], ec2: bool
) -> str:
    if "query" in traits:
        return str(traits["query"])
    if ec2:
        if "name" in traits:
            wire: str = traits["name"]
            return wire[0].upper() + wire[1:]
        return name
    if traits.get("flat") and target >= len(SCALARS):
        shape = shapes[target - len(SCALARS)]
        # A flattened list goes by its elements' name, not by its own.
        if shape[0] == "list" and shape[1][1].get("name"):
            return str(shape[1][1]["name"])
    return str(traits.get("name", name))


def grow_tree(form: dict[str, str]) -> Branch:
    """Form fields as a tree, split at the dots of their names."""
    root: Branch = {}
    if sum(name.count(".") for name in form) > limits.FORM_PARTS_MAX:
        refuse("the form has more fields than any AWS call", "aws.too_many_fields")
    for name, value in form.items():
        branch = root
        parts = name.split(".")
        if len(parts) > limits.PARAMETER_DEPTH_MAX:
            refuse_container(len(parts), "a field")
        for part in parts:
            if not part:
                refuse("the name of a form field has an empty part")
            branch = branch.setdefault(part, {})
        branch[""] = value
    return root
