"""Keys come from where the issuer says, stay when it is down, and cost it little."""

import asyncio
import json
import time

import pytest

from gatekeep.errors import AuthenticationError, OperatorError
from gatekeep.identity import discovery
from gatekeep.identity.issuers import Issuers
from gatekeep.limits import ISSUER_REFETCH_S, JWKS_BYTES_MAX
from gatekeep.principal import Principal
from tests.identity.issuer import jwk, rsa_key, token

DISCOVERY = "/.well-known/openid-configuration"


def with_issuers(settings, clock, story):
    """Run a story with `Issuers`, and close them."""

    async def run():
        issuers = Issuers(settings, clock=clock)
        try:
            return await story(issuers)
        finally:
            await issuers.close()

    return asyncio.run(run())


def verify_once(settings, clock, text):
    return with_issuers((settings,), clock, lambda issuers: issuers.verify(text))


def down(settings, clock, text):
    """Verify once, and give why the issuer's keys could not be had."""
    with pytest.raises(AuthenticationError) as caught:
        verify_once(settings, clock, text)
    assert caught.value.aws_code == "IDPCommunicationError"
    assert caught.value.status == 400
    return caught.value.detail


# --- where keys come from ----------------------------------------------------------


def test_keys_are_discovered_over_tls_with_a_private_ca(tls_issuer, authority, clock):
    settings = tls_issuer.settings(ca_file=authority[0])
    principal = verify_once(settings, clock, token(tls_issuer.url))
    assert principal == Principal(tls_issuer.url, "agent-7", ("analysts", "dba"))
    assert tls_issuer.asked == [DISCOVERY, "/keys"]


def test_keys_come_straight_from_jwks_uri_when_settings_have_one(issuer, clock):
    settings = issuer.settings(jwks_uri=f"{issuer.url}/keys")
    assert verify_once(settings, clock, token(issuer.url))
    assert issuer.asked == ["/keys"]


def test_an_issuer_with_a_final_slash_is_discovered_without_it(issuer, clock):
    issuer.discovers(issuer=issuer.url + "/")
    settings = issuer.settings(issuer=issuer.url + "/")
    assert verify_once(settings, clock, token(issuer.url + "/"))


def test_an_issuer_whose_certificate_nobody_vouches_for_is_not_asked(tls_issuer, clock):
    assert "CERTIFICATE_VERIFY_FAILED" in down(
        tls_issuer.settings(), clock, token(tls_issuer.url)
    )
    assert tls_issuer.asked == []


def test_a_discovery_document_of_another_issuer_is_refused(issuer, clock):
    issuer.discovers(issuer="https://mallory.example")
    why = down(issuer.settings(), clock, token(issuer.url))
    assert "identity.discovery" in why
    assert "/keys" not in issuer.asked


@pytest.mark.parametrize(
    "jwks_uri",
    [
        "http://keys.corp.example/",
        "http://localhost.mallory.example/",
        "file:///etc/passwd",
        "ftp://127.0.0.1/keys",
        "//127.0.0.1/keys",
        "keys",
        "",
    ],
)
def test_keys_are_never_fetched_without_tls(issuer, clock, jwks_uri):
    issuer.discovers(jwks_uri=jwks_uri)
    assert "identity.insecure" in down(issuer.settings(), clock, token(issuer.url))


@pytest.mark.parametrize("path", [DISCOVERY, "/keys"])
def test_a_redirect_is_not_followed(issuer, clock, path):
    _, _, body = issuer.answers[path]
    issuer.says("/elsewhere", body)
    issuer.says(path, b"", 302, Location=f"{issuer.url}/elsewhere")
    assert "answered 302" in down(issuer.settings(), clock, token(issuer.url))
    assert "/elsewhere" not in issuer.asked


@pytest.mark.parametrize("path", [DISCOVERY, "/keys"])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"{}",
        b'{"issuer": 1, "jwks_uri": 2}',
        b'{"keys": {}}',
        b'{"keys": []}',
        b'{"keys": [1, null, {}, {"kty": []}, {"kty": "EC", "crv": {}}]}',
        b'{"keys": [{"kty": "RSA", "n": "", "e": ""}]}',
        b'{"keys": [{"kty": "RSA", "n": "%%%%", "e": "AQAB"}]}',
        b'{"keys": [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}]}',
        b'{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "AA"}]}',
        b"[" * 5000,
        json.dumps({"keys": [jwk(rsa_key())] * 257}).encode(),
    ],
)
def test_a_document_that_makes_no_sense_is_refused(issuer, clock, path, body):
    issuer.says(path, body)
    assert down(issuer.settings(), clock, token(issuer.url))


def test_an_oversized_document_is_refused(issuer, clock):
    issuer.says("/keys", b" " * (JWKS_BYTES_MAX + 1))
    assert "document_oversized" in down(issuer.settings(), clock, token(issuer.url))


def test_a_document_that_never_ends_is_refused(issuer, clock):
    def forever(stream):
        while True:
            stream.write(b" " * 65_536)

    issuer.says("/keys", forever)
    assert "document_oversized" in down(issuer.settings(), clock, token(issuer.url))


def test_an_issuer_that_drips_is_given_up(issuer, clock):
    def drip(stream):
        stream.write(b" ")
        clock.s += discovery.ISSUER_FETCH_S_MAX + 1
        stream.write(b" ")

    issuer.says("/keys", drip)
    assert "did not end" in down(issuer.settings(), clock, token(issuer.url))


def test_an_issuer_that_says_nothing_is_given_up(issuer, clock, monkeypatch):
    monkeypatch.setattr(discovery, "ISSUER_TIMEOUT_S", 0.1)
    issuer.gate.clear()
    assert "timed out" in down(issuer.settings(), clock, token(issuer.url))


def test_clients_do_not_wait_for_an_issuer_beyond_its_time(issuer, clock, monkeypatch):
    monkeypatch.setattr("gatekeep.identity.issuers.ISSUER_FETCH_S_MAX", 0.05)
    issuer.gate.clear()
    assert "no answer in time" in down(issuer.settings(), clock, token(issuer.url))


def test_an_issuer_that_breaks_off_is_refused(issuer, clock):
    issuer.says("/keys", b'{"keys"', Content_Length="999")
    assert down(issuer.settings(), clock, token(issuer.url))


def test_a_ca_file_without_certificates_is_the_operators_error(issuer, tmp_path):
    (tmp_path / "ca.pem").write_text("nothing")
    for path in (tmp_path / "ca.pem", tmp_path / "missing.pem"):
        with pytest.raises(OperatorError, match="expected PEM"):
            Issuers((issuer.settings(ca_file=path),))


def test_an_issuer_configured_twice_is_the_operators_error(issuer):
    with pytest.raises(OperatorError, match="configured twice"):
        Issuers((issuer.settings(), issuer.settings(audience=("other",))))


def test_each_issuer_vouches_with_its_own_keys_only(
    issuer, tls_issuer, authority, clock
):
    tls_issuer.publishes(jwk(rsa_key(which="other")))
    both = (issuer.settings(), tls_issuer.settings(ca_file=authority[0]))

    async def story(issuers):
        assert await issuers.verify(token(issuer.url))
        assert await issuers.verify(token(tls_issuer.url, key=rsa_key(which="other")))
        with pytest.raises(AuthenticationError, match="signature"):
            await issuers.verify(token(tls_issuer.url))

    with_issuers(both, clock, story)


# --- when they are fetched ---------------------------------------------------------


def test_start_does_not_wait_or_fail_when_the_issuer_is_down(issuer, clock):
    issuer.down = True

    async def story(issuers):
        await issuers.start()
        with pytest.raises(AuthenticationError) as caught:
            await issuers.verify(token(issuer.url))
        assert caught.value.aws_code == "IDPCommunicationError"

    with_issuers((issuer.settings(),), clock, story)


def test_keys_stay_when_the_issuer_goes_down(issuer, clock):
    async def story(issuers):
        await issuers.verify(token(issuer.url))
        issuer.down = True
        clock.s += ISSUER_REFETCH_S
        unknown = token(issuer.url, header={"kid": "k2"})
        with pytest.raises(AuthenticationError) as caught:
            await issuers.verify(unknown)
        # We cannot know whether the issuer has that key: the SDK may try again.
        assert caught.value.aws_code == "IDPCommunicationError"
        assert await issuers.verify(token(issuer.url))

    with_issuers((issuer.settings(),), clock, story)


def test_a_rotated_key_is_found_by_its_unknown_id(issuer, clock):
    async def story(issuers):
        await issuers.verify(token(issuer.url))
        fresh = rsa_key(which="fresh")
        issuer.publishes(jwk(fresh, "k2"), jwk(rsa_key()))
        clock.s += ISSUER_REFETCH_S
        assert await issuers.verify(token(issuer.url, key=fresh, header={"kid": "k2"}))
        assert await issuers.verify(token(issuer.url))

    with_issuers((issuer.settings(),), clock, story)


def test_a_key_the_issuer_withdraws_is_no_longer_accepted(issuer, clock):
    async def story(issuers):
        await issuers.verify(token(issuer.url))
        issuer.publishes(jwk(rsa_key(which="fresh"), "k2"))
        clock.s += ISSUER_REFETCH_S
        for _ in range(2):
            with pytest.raises(AuthenticationError):
                await issuers.verify(token(issuer.url, header={"kid": "unknown"}))
        with pytest.raises(AuthenticationError, match="no key"):
            await issuers.verify(token(issuer.url))

    with_issuers((issuer.settings(),), clock, story)


def test_unknown_key_ids_cost_the_issuer_one_fetch_in_thirty_seconds(issuer, clock):
    async def story(issuers):
        await issuers.verify(token(issuer.url))
        issuer.asked.clear()
        for second in range(61):
            for number in range(5):
                unknown = token(issuer.url, header={"kid": f"{second}-{number}"})
                with pytest.raises(AuthenticationError, match="no key"):
                    await issuers.verify(unknown)
            clock.s += 1
        # At 30 s and at 60 s; the fetch at 0 s had found the keys themselves.
        assert issuer.asked.count("/keys") == 2

    with_issuers((issuer.settings(),), clock, story)


def test_clients_that_come_together_share_one_fetch(issuer, clock):
    issuer.gate.clear()

    async def story(issuers):
        waiting = [
            asyncio.create_task(issuers.verify(token(issuer.url))) for _ in range(50)
        ]
        await asyncio.to_thread(issuer.wait_until_asked, 1, DISCOVERY)
        issuer.gate.set()
        assert len(await asyncio.gather(*waiting)) == 50

    with_issuers((issuer.settings(),), clock, story)
    assert issuer.asked == [DISCOVERY, "/keys"]


def test_a_client_that_goes_away_does_not_end_the_fetch_for_others(issuer, clock):
    issuer.gate.clear()

    async def story(issuers):
        gone, stays = (
            asyncio.create_task(issuers.verify(token(issuer.url))) for _ in range(2)
        )
        await asyncio.to_thread(issuer.wait_until_asked, 1, DISCOVERY)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        issuer.gate.set()
        assert await stays

    with_issuers((issuer.settings(),), clock, story)


def test_keys_are_fetched_again_in_the_background(issuer, clock):
    # Settings allow no less than 10 s; a test does not wait that long.
    settings = issuer.settings().model_copy(update={"refresh_s": 0.01})

    async def story(issuers):
        await issuers.start()
        await asyncio.to_thread(issuer.wait_until_asked, 3)

    with_issuers((settings,), clock, story)


def test_an_issuer_that_comes_back_is_found_without_a_client(
    issuer, clock, monkeypatch
):
    monkeypatch.setattr("gatekeep.identity.issuers._RETRY_S_MIN", 0.01)
    issuer.down = True

    async def story(issuers):
        await issuers.start()
        await asyncio.to_thread(issuer.wait_until_asked, 3, DISCOVERY)
        issuer.down = False
        await asyncio.to_thread(issuer.wait_until_asked, 1, "/keys")
        assert await issuers.verify(token(issuer.url))

    with_issuers((issuer.settings(),), clock, story)


def test_closing_does_not_wait_for_a_silent_issuer(issuer, clock):
    issuer.gate.clear()

    async def story(issuers):
        await issuers.start()
        await asyncio.to_thread(issuer.wait_until_asked, 1, DISCOVERY)

    began = time.monotonic()
    with_issuers((issuer.settings(),), clock, story)
    assert time.monotonic() - began < discovery.ISSUER_TIMEOUT_S
