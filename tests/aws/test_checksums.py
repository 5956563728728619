"""The checksums of aws-chunked trailers, against their definitions."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeep._fast.crc import crc32c, crc64nvme
from gatekeep.aws.checksums import checksum_named
from tests.reference import crc as reference


@given(parts=st.lists(st.binary(max_size=40), max_size=4))
def test_the_kernels_equal_their_definition_however_the_data_is_cut(parts):
    narrow = wide = 0
    for part in parts:
        narrow = crc32c(part, narrow)
        wide = crc64nvme(bytearray(part), wide)
    whole = b"".join(parts)
    assert narrow == crc32c(memoryview(whole)) == reference.crc32c(whole)
    assert wide == crc64nvme(whole) == reference.crc64nvme(whole)


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        # Of b"123456789": the check values of the CRC catalogue and of RFCs.
        ("x-amz-checksum-crc32", "cbf43926"),
        ("x-amz-checksum-crc32c", "e3069283"),
        ("x-amz-checksum-crc64nvme", "ae8b14860a799888"),
        ("x-amz-checksum-md5", "25f9e794323b453885f5181f1b624d0b"),
        ("x-amz-checksum-sha1", "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
        ("x-amz-checksum-sha256", "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"),
    ],
)  # fmt: skip
def test_each_field_carries_its_checksum(field, expected):
    checksum = checksum_named(field)
    assert checksum is not None
    checksum.update(b"12345")
    checksum.update(b"6789")
    assert checksum.digest().hex() == expected
    assert base64.b64encode(checksum.digest())


def test_a_field_that_is_unknown_has_no_checksum():
    assert checksum_named("x-amz-checksum-xxhash128") is None
    assert checksum_named("x-amz-meta-a") is None


@pytest.mark.parametrize("value", [-1, 1 << 64, "1"])
def test_a_value_that_is_no_crc_is_refused(value):
    with pytest.raises((OverflowError, TypeError)):
        crc64nvme(b"", value)
    with pytest.raises(TypeError):
        crc32c("text")
