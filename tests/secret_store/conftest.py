"""The servers that hold secrets."""

from __future__ import annotations

from secret_servers import aws_client, gcp_secrets, s3_endpoint

__all__ = ["aws_client", "gcp_secrets", "s3_endpoint"]
