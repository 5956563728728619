"""`conf/gatekeep.toml` is whole: every key is in it, and it says what is so."""

import re
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from gatekeep.masking.masking import Masking
from gatekeep.settings import Settings, parse_settings

EXAMPLE = Path(__file__).parents[2] / "conf" / "gatekeep.toml"
TEXT = EXAMPLE.read_text()
DEFAULT = re.compile(r"^#(?=[a-z_]+ = )", re.MULTILINE)


def keys(model, prefix=""):
    """Every key of the settings, ``masking.profile.mask.field``."""
    for name, field in model.model_fields.items():
        yield f"{prefix}{name}"
        for kind in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from keys(kind, f"{prefix}{name}.")


def written(tree, prefix=""):
    for name, value in tree.items():
        yield f"{prefix}{name}"
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, dict):
                yield from written(each, f"{prefix}{name}.")


def test_the_example_is_good_as_it_stands():
    settings = parse_settings(TEXT, path=EXAMPLE)
    Masking(settings.masking)
    assert settings.policy.directory == EXAMPLE.parent / "policies"


@pytest.mark.parametrize("key", list(keys(Settings)))
def test_the_example_shows(key):
    assert key in set(written(tomllib.loads(DEFAULT.sub("", TEXT))))


def test_what_is_commented_out_can_be_taken_in():
    parse_settings(DEFAULT.sub("", TEXT), path=EXAMPLE)


OPTIONAL = {"catalogue_directory", "plain_listen", "jwks_uri", "ca_file", "external_id", "profile", "endpoint",
            "service_endpoints", "required_claims", "token_key"}  # fmt: skip
"""Keys whose default is to be absent or empty: the example shows a use of them."""


def test_a_commented_default_is_the_default():
    bare = parse_settings(TEXT, path=EXAMPLE).model_dump()
    lines = [
        line if not DEFAULT.match(line) or line[1:].split()[0] in OPTIONAL else line[1:]
        for line in TEXT.splitlines()
    ]
    assert parse_settings("\n".join(lines), path=EXAMPLE).model_dump() == bare
