"""Where an issuer publishes its keys, fetched over TLS (OpenID Connect Discovery 1.0).

Blocking, on the standard library: `issuers` calls it from a thread of its own.
"""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.request
from urllib.error import HTTPError
from urllib.parse import urlsplit

from gatekeep.clock import Clock
from gatekeep.errors import OperatorError, UnavailableError
from gatekeep.identity.keysets import KeySet, parse_key_set
from gatekeep.limits import ISSUER_FETCH_S_MAX, ISSUER_TIMEOUT_S, JWKS_BYTES_MAX
from gatekeep.settings import LOOPBACK_HOSTS, IssuerSettings


class IssuerDocuments:
    """Fetches one issuer's key set.

    The proxies of the environment (``HTTPS_PROXY``, ``NO_PROXY``) are used, except
    towards this host. No redirect is followed: keys come from where settings or the
    issuer's own discovery document say, or not at all.

    Raises:
        OperatorError: ``ca_file`` holds no certificates.
    """

    def __init__(self, settings: IssuerSettings, *, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        try:
            self._tls = ssl.create_default_context(cafile=settings.ca_file)
        except OSError as error:  # ssl.SSLError is one
            raise OperatorError(
                "identity.ca_file", f"{settings.ca_file}: expected PEM certificates"
            ) from error

    def fetch_key_set(self) -> KeySet:
        """Return the keys the issuer publishes now.

        Raises:
            UnavailableError: no answer in time, another answer than 200, too large,
                not the document it should be; the message names the URL.
        """
        url = self._settings.jwks_uri or self._discover()
        return parse_key_set(self._fetch(url), place=url)

    def _discover(self) -> str:
        """The ``jwks_uri`` of the issuer's discovery document."""
        issuer = self._settings.issuer
        url = issuer.rstrip("/") + "/.well-known/openid-configuration"
        try:
            document = json.loads(self._fetch(url).decode())
            named, jwks_uri = document["issuer"], document["jwks_uri"]
        except (ValueError, RecursionError, KeyError, TypeError) as error:
            raise UnavailableError(
                "identity.discovery",
                f"{url}: expected JSON with `issuer` and `jwks_uri`",
            ) from error
        if named != issuer:
            # Section 4.3: it MUST be identical, or anybody's document would do.
            raise UnavailableError(
                "identity.discovery", f"{url}: its `issuer` is not `{issuer}`"
            )
        if not isinstance(jwks_uri, str):
            raise UnavailableError(
                "identity.discovery", f"{url}: its `jwks_uri` is no string"
            )
        return jwks_uri

    def _fetch(self, url: str) -> bytes:
        """The body of a 200 answer to GET, at most `JWKS_BYTES_MAX` of it."""
        deadline_s = self._clock.monotonic_s() + ISSUER_FETCH_S_MAX
        try:
            parts = urlsplit(url)
            local = parts.hostname in LOOPBACK_HOSTS
            if parts.scheme != "https" and not (local and parts.scheme == "http"):
                raise UnavailableError(
                    "identity.insecure", f"{url}: expected an https:// URL"
                )
            request = urllib.request.Request(  # noqa: S310  # scheme checked above
                url, headers={"Accept": "application/json", "User-Agent": "gatekeep"}
            )
            with self._opener(local).open(request, timeout=ISSUER_TIMEOUT_S) as answer:
                return self._read(answer, url, deadline_s)
        except HTTPError as error:
            error.close()
            raise UnavailableError(
                "identity.issuer_answer", f"{url}: answered {error.code}: expected 200"
            ) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise UnavailableError(
                "identity.issuer_down", f"{url}: {type(error).__name__}: {error}"
            ) from error

    def _opener(self, local: bool) -> urllib.request.OpenerDirector:
        """An opener that knows HTTP, TLS and proxies, and no redirect or file."""
        opener = urllib.request.OpenerDirector()
        for handler in (
            urllib.request.ProxyHandler({} if local else None),
            urllib.request.HTTPHandler(),
            urllib.request.HTTPSHandler(context=self._tls),
            urllib.request.HTTPErrorProcessor(),
            urllib.request.HTTPDefaultErrorHandler(),
        ):
            opener.add_handler(handler)
        return opener

    def _read(
        self, answer: http.client.HTTPResponse, url: str, deadline_s: float
    ) -> bytes:
        """All of a body, if it comes in time and is not too large."""
        content = bytearray()
        while chunk := answer.read1(64 * 1024):
            content += chunk
            if len(content) > JWKS_BYTES_MAX:
                raise UnavailableError(
                    "identity.document_oversized",
                    f"{url}: is larger than {JWKS_BYTES_MAX} bytes",
                )
            if self._clock.monotonic_s() > deadline_s:
                raise UnavailableError(
                    "identity.issuer_down",
                    f"{url}: did not end within {ISSUER_FETCH_S_MAX:.0f} s",
                )
        return bytes(content)
