from __future__ import annotations

from pathlib import Path

import pytest

from gatekeep.aws.catalogue import Catalogue, load_catalogue
from gatekeep.aws.recognise import Recogniser


@pytest.fixture(scope="session")
def catalogue_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("catalogue")


@pytest.fixture(scope="session")
def catalogue(catalogue_directory: Path) -> Catalogue:
    return load_catalogue(catalogue_directory)


@pytest.fixture(scope="session")
def recogniser(catalogue: Catalogue) -> Recogniser:
    return Recogniser(catalogue, hostnames=("gw.test", "127.0.0.1", "::1"))
