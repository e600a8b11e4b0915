"""The name of a workspace's content: equal exactly when paths and contents are."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256


def file_digests(files: Mapping[str, bytes]) -> dict[str, str]:
    """sha256 of every file by path."""
    return {path: sha256(content).hexdigest() for path, content in files.items()}


def workspace_revision(digests: Mapping[str, str]) -> str:
    """16 hex digits over paths and digests, as in `ServiceStatus.files_revision`."""
    lines = "".join(f"{path}\0{digest}\n" for path, digest in sorted(digests.items()))
    return sha256(lines.encode()).hexdigest()[:16]
