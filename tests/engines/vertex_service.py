"""Fixture: a double of Vertex AI's service of pipelines, new for each test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from vertex_server import VertexServer


@pytest.fixture
def vertex_service() -> Iterator[VertexServer]:
    """It runs tasks in containers of the Docker Engine; with `runs_containers = False` jobs stay as they are."""
    from vertex_server import VertexServer  # Google's types take a second or two to load

    server = VertexServer()
    server.start()
    try:
        yield server
    finally:
        server.stop()
