"""The compiled catalogue: what it holds, and its file on disk."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import botocore.session
import pytest

from gatekeep.aws.call import AccessLevel, Protocol
from gatekeep.aws.catalogue import Catalogue, load_catalogue


def test_it_has_every_service_of_botocore(catalogue: Catalogue) -> None:
    services = botocore.session.Session().get_available_services()
    assert set(catalogue.services) == set(services)


def test_a_service_tells_how_it_is_addressed(catalogue: Catalogue) -> None:
    service = catalogue.service("dynamodb")
    assert service.signing_name == "dynamodb"
    assert service.target_prefix == "DynamoDB_20120810"
    assert service.protocols == (Protocol.JSON,)
    assert service.operation("GetItem").method == "POST"
    assert "GetItem" in service.operations
    assert catalogue.service("sqs").query_compatible
    assert catalogue.service("stepfunctions").operation(
        "StartSyncExecution"
    ).host_prefix == "sync-"  # fmt: skip
    assert catalogue.service("sts").operation("AssumeRoleWithWebIdentity").unsigned
    with pytest.raises(KeyError):
        catalogue.service("nonesuch")
    with pytest.raises(KeyError):
        service.operation("Nonesuch")


def test_signing_names_lead_to_services(catalogue: Catalogue) -> None:
    names = catalogue.signing_names()
    assert set(names["rds"]) == {"rds", "docdb", "neptune"}
    assert "s3" in names["s3express"]
    assert names["dynamodb"] == ("dynamodb", "dynamodbstreams")


def test_regions_and_partitions(catalogue: Catalogue) -> None:
    assert "eu-west-1" in catalogue.regions("dynamodb")
    assert "mars-1" not in catalogue.regions("dynamodb")
    assert "aws-global" not in catalogue.regions("iam")
    assert "eu-west-1" in catalogue.regions("iam")
    assert catalogue.partition("cn-north-1") == "aws-cn"
    assert catalogue.partition("us-gov-west-1") == "aws-us-gov"
    with pytest.raises(KeyError):
        catalogue.partition("mars-1")


def test_every_region_of_a_service_is_in_a_partition(catalogue: Catalogue) -> None:
    for name in catalogue.services:
        for region in catalogue.regions(name):
            assert catalogue.partition(region)


def test_actions_have_levels_and_one_spelling(catalogue: Catalogue) -> None:
    actions = dict(catalogue.actions())
    assert len(actions) > 20_000
    assert list(actions) == sorted(actions)
    assert actions["s3:GetObject"] is AccessLevel.READ
    assert actions["s3:PutBucketPolicy"] is AccessLevel.PERMISSIONS
    assert actions["dynamodb:TagResource"] is AccessLevel.TAGGING
    assert catalogue.access_level("S3:getobject") is AccessLevel.READ
    assert catalogue.canonical_action("S3:getobject") == "s3:GetObject"
    assert "dynamodb" in catalogue.action_prefixes()
    with pytest.raises(KeyError):
        catalogue.access_level("s3:Nonesuch")


def test_what_is_unmapped_is_listed_and_can_be_matched(catalogue: Catalogue) -> None:
    unmapped = list(catalogue.unmapped())
    total = sum(len(catalogue.service(name).operations) for name in catalogue.services)
    # The share grows as services add operations before IAM's pages name them.
    assert 0 < len(unmapped) < total * 0.05
    for service, operation, action in unmapped:
        assert operation in catalogue.service(service).operations
        assert action.partition(":")[2] == operation
        assert catalogue.access_level(action)


def test_an_operation_that_says_nothing_of_itself_counts_as_a_change(
    catalogue: Catalogue,
) -> None:
    for service, operation, action in catalogue.unmapped():
        readonly = catalogue.service(service).operation(operation).readonly
        assert catalogue.access_level(action).changes is not readonly


# --- the file -------------------------------------------------------------------


def _file(directory: Path) -> Path:
    (path,) = directory.glob("*.catalogue")
    return path


def test_the_file_is_read_again(
    catalogue: Catalogue, catalogue_directory: Path
) -> None:
    path = _file(catalogue_directory)
    before = path.stat().st_mtime_ns
    again = load_catalogue(catalogue_directory)
    assert path.stat().st_mtime_ns == before
    assert again.version == catalogue.version


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "magic"])
def test_a_damaged_file_is_made_anew(
    catalogue: Catalogue,
    catalogue_directory: Path,
    tmp_path: Path,
    damage: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = _file(catalogue_directory).read_bytes()
    half = len(whole) // 2
    damaged = {
        "flip": whole[:half] + bytes([whole[half] ^ 1]) + whole[half + 1 :],
        "cut": whole[:half],
        "empty": b"",
        "magic": b"x" + whole[1:],
    }[damage]
    path = tmp_path / _file(catalogue_directory).name
    path.write_bytes(damaged)
    # Compiling takes seconds; the parts of the undamaged file stand in for it.
    monkeypatch.setattr(
        "gatekeep.aws.catalogue._compile",
        lambda: {name: bytes(part) for name, part in catalogue._parts.items()},
    )
    made = load_catalogue(tmp_path)
    assert made.services == catalogue.services
    assert path.read_bytes() == whole
    assert list(tmp_path.iterdir()) == [path]


def test_a_directory_that_cannot_be_written_is_no_error(
    catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "gatekeep.aws.catalogue._compile",
        lambda: {name: bytes(part) for name, part in catalogue._parts.items()},
    )
    (tmp_path / "file").write_bytes(b"")
    assert load_catalogue(tmp_path / "file" / "below").services == catalogue.services


_MEASURE = """
import resource, sys, time
from pathlib import Path
from gatekeep.aws.catalogue import load_catalogue
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.process_time()
catalogue = load_catalogue(Path(sys.argv[1]))
loaded_s = time.process_time() - start
for name in catalogue.services:
    catalogue.service(name)
list(catalogue.actions())
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(loaded_s, (after - before) / 1024)
"""


def test_it_loads_in_less_than_a_second_and_stays_small(
    catalogue: Catalogue, catalogue_directory: Path
) -> None:
    start = time.monotonic()
    result = subprocess.run(
        [sys.executable, "-c", _MEASURE, str(catalogue_directory)],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded_s, grown_mib = map(float, result.stdout.split())
    assert time.monotonic() - start < 60
    assert loaded_s < 1
    # Every service decoded at once, which no gateway does.
    assert grown_mib < 60
