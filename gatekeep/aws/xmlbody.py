"""Parameters of rest-xml bodies (S3, S3 Control, Route 53, CloudFront).

expat reads the bytes; document types, entities, processing instructions and any
encoding but UTF-8 are refused, and so is what the model does not name or names
once and the body twice. Sources: botocore's `RestXMLSerializer`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from xml.parsers import expat

from gatekeep import limits
from gatekeep.aws.documents import text_of
from gatekeep.aws.models import SCALARS
from gatekeep.aws.readers import FROM_TEXT, refuse, refuse_container, refuse_member


class Element:
    """An element: name, attributes, children, and its text when it has no children."""

    __slots__ = ("attributes", "children", "name", "texts")

    def __init__(self, name: str, attributes: dict[str, str]) -> None:
        self.name = name
        self.attributes = attributes
        self.children: list[Element] = []
        self.texts: list[str] = []

    @property
    def text(self) -> str:
        """All character data directly inside."""
        return "".join(self.texts)


def parse_xml(body: bytes) -> Element:
    """The root element; raises `UnrecognisedError`."""
    # expat follows a UTF-16 byte order mark whatever it is told.
    text_of(body)
    top = Element("", {})
    stack = [top]

    left = limits.XML_ELEMENTS_MAX

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            refuse(
                "the body has more elements than any AWS call", "aws.too_many_fields"
            )
        if len(stack) > limits.PARAMETER_DEPTH_MAX:
            refuse_container(len(stack), "an element")
        element = Element(name, attributes)
        stack[-1].children.append(element)
        stack.append(element)

    def end(_: str) -> None:
        stack.pop()

    def text(data: str) -> None:
        stack[-1].texts.append(data)

    def declaration(_version: str, encoding: str | None, _alone: int) -> None:
        if encoding is not None and encoding.lower() != "utf-8":
            refuse("an XML body must be UTF-8", "aws.bad_body")

    def forbidden(*_: object) -> None:
        refuse("an XML body has a document type or instruction", "aws.bad_body")

    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    parser.XmlDeclHandler = declaration
    parser.StartDoctypeDeclHandler = forbidden
    parser.ProcessingInstructionHandler = forbidden
    try:
        parser.Parse(body, True)
    except expat.ExpatError:
        refuse("the request body is not XML", "aws.bad_body")
    return top.children[0]


class Leaf:
    """A scalar."""

    __slots__ = ("_read",)

    def __init__(self, index: int) -> None:
        self._read = FROM_TEXT[index]

    def read(self, element: Element, depth: int) -> Any:
        """The value."""
        if element.children:
            refuse("an XML element holds elements where text was expected")
        return self._read(element.text)


class Block:
    """A structure."""

    __slots__ = ("attributes", "flat", "members")

    def __init__(self) -> None:
        self.members: dict[str, tuple[str, XMLReader]] = {}
        self.flat: dict[str, tuple[str, Items | Pairs]] = {}
        self.attributes: dict[str, str] = {}

    def read(self, element: Element, depth: int) -> Any:
        """A dict by modelled names."""
        if element.text.strip():
            refuse("an XML element holds text where elements were expected")
        result: dict[str, Any] = {}
        for name, value in element.attributes.items():
            if name in self.attributes:
                result[self.attributes[name]] = value
            elif name != "xmlns" and not name.startswith("xmlns:"):
                refuse_member(name)
        repeated: dict[str, list[Element]] = {}
        for child in element.children:
            if child.name in self.flat:
                repeated.setdefault(child.name, []).append(child)
                continue
            member = self.members.get(child.name)
            if member is None:
                refuse_member(child.name)
            if member[0] in result:
                refuse("an XML element stands twice", "aws.duplicate_key")
            result[member[0]] = member[1].read(child, depth + 1)
        for wire, children in repeated.items():
            name, reader = self.flat[wire]
            result[name] = reader.read_all(children, depth + 1)
        return result


class Items:
    """A list."""

    __slots__ = ("item", "wire")

    def __init__(self, wire: str) -> None:
        self.wire = wire
        self.item: XMLReader = Leaf(0)

    def read(self, element: Element, depth: int) -> Any:
        """A list of the children, which must all have the modelled name."""
        if element.text.strip():
            refuse("an XML list holds text")
        for child in element.children:
            if child.name != self.wire:
                refuse_member(child.name)
        return self.read_all(element.children, depth + 1)

    def read_all(self, elements: list[Element], depth: int) -> list[Any]:
        """A list of elements, whatever their name."""
        return [self.item.read(element, depth + 1) for element in elements]


class Pairs:
    """A map."""

    __slots__ = ("item", "key", "value")

    def __init__(self, key: str, value: str) -> None:
        self.key = key
        self.value = value
        self.item: XMLReader = Leaf(0)

    def read(self, element: Element, depth: int) -> Any:
        """A dict of the ``entry`` children."""
        for child in element.children:
            if child.name != "entry":
                refuse_member(child.name)
        return self.read_all(element.children, depth + 1)

    def read_all(self, elements: list[Element], depth: int) -> dict[str, Any]:
        """A dict of elements that hold a key and a value each."""
        result: dict[str, Any] = {}
        for element in elements:
            found = {child.name: child for child in element.children}
            if len(found) != len(element.children) or found.keys() != {
                self.key,
                self.value,
            }:
                refuse("an entry of an XML map is not a key and a value")
            key = found[self.key].text
            if key in result:
                refuse("an XML map names a key twice", "aws.duplicate_key")
            result[key] = self.item.read(found[self.value], depth + 1)
        return result


XMLReader = Leaf | Block | Items | Pairs


def build_xml_reader(
    reference: list[Any], shapes: Sequence[Any], built: dict[int, XMLReader]
) -> XMLReader:
    """The reader of a compiled reference (`models`) for rest-xml."""
    index = reference[0]
    if index < len(SCALARS):
        return Leaf(index)
    if index in built:
        return built[index]
    shape = shapes[index - len(SCALARS)]
    if shape[0] == "structure":
        block = built[index] = Block()
        for name, target, traits in shape[1]:
            wire = traits.get("name", name)
            if "in" in traits:
                continue
            if traits.get("attribute"):
                block.attributes[wire] = name
                continue
            reader = build_xml_reader([target, traits], shapes, built)
            if traits.get("flat") and isinstance(reader, Items | Pairs):
                block.flat[wire] = (name, reader)
            else:
                block.members[wire] = (name, reader)
        return block
    container: Items | Pairs
    if shape[0] == "list":
        container = Items(shape[1][1].get("name", "member"))
    else:
        container = Pairs(
            shape[1][1].get("name", "key"), shape[2][1].get("name", "value")
        )
    built[index] = container
    container.item = build_xml_reader(shape[-1], shapes, built)
    return container
