"""The gateway's own AWS credentials, from the standard sources, by botocore.

Blocking: `source` calls it from threads. botocore finds them (environment, profile,
web identity, container, instance role) and renews them ahead of their end.
"""

from __future__ import annotations

import threading
from typing import Any

import botocore.config
import botocore.session
from botocore.exceptions import ConfigParseError, ProfileNotFound

from gatekeep.aws.credentials import UpstreamCredentials
from gatekeep.errors import OperatorError, UnavailableError
from gatekeep.limits import STS_CALLS_MAX, STS_TIMEOUT_S
from gatekeep.principal import Secret
from gatekeep.settings import CredentialsSettings, UpstreamSettings


class OwnCredentials:
    """The gateway's own credentials, and an STS client that uses them.

    Raises:
        OperatorError: ``profile`` without ``source = "profile"`` or the reverse, or
            a profile that is not there.
    """

    def __init__(
        self, settings: CredentialsSettings, upstream: UpstreamSettings
    ) -> None:
        if (settings.source == "profile") != (settings.profile is not None):
            raise OperatorError(
                "credentials.profile",
                '[credentials] `profile` and `source = "profile"` go together',
            )
        self._settings = settings
        self._upstream = upstream
        self._lock = threading.Lock()
        self._client: Any = None
        self._last: UpstreamCredentials | None = None
        try:
            self._session = botocore.session.Session(profile=settings.profile)
            if settings.source == "environment":
                # The chain would go on to other sources when the environment has none.
                resolver = self._session.get_component("credential_provider")
                resolver.providers[:] = [resolver.get_provider("env")]
            self._session.get_scoped_config()  # raises for a missing profile
        except (ProfileNotFound, ConfigParseError) as error:
            raise OperatorError(
                "credentials.configuration", f"[credentials]: {error}"
            ) from error

    def read(self) -> UpstreamCredentials:
        """Return the credentials as they are now; the same object while unchanged.

        Their end is not told: asked again every `OWN_CREDENTIALS_RECHECK_S`,
        botocore renews them long before it.

        Raises:
            UnavailableError: no source has any, or the one that has cannot renew.
        """
        with self._lock:
            try:
                found = self._session.get_credentials()
                frozen = found and found.get_frozen_credentials()
            except Exception as error:
                # Whatever it is: botocore's parsers raise outside its own hierarchy.
                raise UnavailableError(
                    "credentials.source",
                    "the gateway's own AWS credentials cannot be read or renewed",
                    detail=f"{type(error).__name__}: {error}",
                ) from error
            if not frozen or not frozen.access_key:
                raise UnavailableError(
                    "credentials.none",
                    "the gateway has no AWS credentials: the operator gives it some "
                    "in the environment, a profile or a role (see [credentials])",
                )
            fresh = UpstreamCredentials(
                frozen.access_key, Secret(frozen.secret_key.encode()), frozen.token
            )
            if fresh != self._last:
                self._last = fresh
            return self._last

    def sts_client(self) -> Any:
        """Return a client for STS that signs with these credentials; thread-safe.

        Its endpoint is that of settings, else the regional one of AWS. Endpoints in
        the process's environment do not count: they may well name this gateway.

        Raises:
            UnavailableError: as `read`.
        """
        self.read()  # a client made before there are credentials never gets any
        with self._lock:
            if self._client is None:
                try:
                    self._client = self._make_client()
                except Exception as error:
                    raise UnavailableError(
                        "credentials.sts_client",
                        "the gateway cannot use STS: see [credentials] `region` and "
                        "[upstream]",
                        detail=f"{type(error).__name__}: {error}",
                    ) from error
            return self._client

    def _make_client(self) -> Any:
        ca_file = self._upstream.ca_file
        return self._session.create_client(
            "sts",
            region_name=self._settings.region,
            endpoint_url=self._upstream.service_endpoints.get(
                "sts", self._upstream.endpoint
            ),
            verify=None if ca_file is None else str(ca_file),
            config=botocore.config.Config(
                connect_timeout=STS_TIMEOUT_S,
                read_timeout=STS_TIMEOUT_S,
                retries={"mode": "standard", "total_max_attempts": 3},
                max_pool_connections=STS_CALLS_MAX,
                ignore_configured_endpoint_urls=True,
            ),
        )
