"""A message that h11 reads beside us: to differ from it is to refuse."""

import pytest

from gatekeep.errors import FramingError
from gatekeep.http import heads
from gatekeep.http.faults import Sender
from gatekeep.http.follower import Follower


def follower(framing):
    raw = b"PUT / HTTP/1.1\r\nHost: gw\r\n%b\r\n\r\n" % framing
    _, connection = heads.read_request_head(raw)
    return Follower(connection, Sender.CLIENT)


def test_two_readers_that_agree_pass():
    beside = follower(b"Transfer-Encoding: chunked")
    beside.follow(b"2\r\nhi\r\n", b"hi", ended=False)
    beside.follow(b"0\r\n\r\n", b"", ended=True)


@pytest.mark.parametrize(
    ("raw", "data", "ended"),
    [
        (b"2\r\nhi\r\n", b"ho", False),
        (b"2\r\nhi\r\n", b"", False),
        (b"2\r\nhi\r\n", b"hi", True),
        (b"2\r\nhi\r\n0\r\n\r\n", b"hi", False),
        (b"2\r\nhi\r\n0\r\n", b"hi", True),
        (b"x\r\n", b"", False),
    ],
)
def test_two_readers_that_differ_refuse(raw, data, ended):
    with pytest.raises(FramingError, match="body_unread"):
        follower(b"Transfer-Encoding: chunked").follow(raw, data, ended=ended)


def test_a_length_is_followed_to_its_last_byte():
    beside = follower(b"Content-Length: 3")
    beside.follow(b"ab", b"ab", ended=False)
    with pytest.raises(FramingError, match="body_unread"):
        beside.follow(b"c", b"c", ended=False)
