"""What may be handed in, and how much of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from app.content.exercise import MAX_FILE_BYTES, MAX_WORKSPACE_BYTES, Exercise
from app.errors import InvalidInput, TooLarge

OPEN_SUBMISSIONS = 3  #: of one learner at a time, over all exercises
MAX_IDEMPOTENCY_KEY = 128  #: printable ASCII characters
MAX_PAGE = 100  #: rows of one page


def workspace_files(exercise: Exercise, files: Mapping[str, str], base: Mapping[str, str] | None = None) -> dict[str, str]:
    """All editable files of an exercise: the given ones, the rest from `base` (by default the starter).

    Args:
        files: relative path -> text.

    Returns:
        One text per editable path, in the exercise's order.

    Raises:
        TooLarge: a file over 64 KiB, or all together over 256 KiB.
        InvalidInput: a path that is not editable, a NUL, or text that is not Unicode. `details` names the path.
    """
    for path in files:
        if path not in exercise.editable_paths:
            raise InvalidInput(
                f"`{path[:120]}` is not a file that can be edited here.",
                code="path-not-editable",
                cure=f"Send only: {', '.join(exercise.editable_paths)}.",
                details={"path": path[:120], "editable": list(exercise.editable_paths)},
            )
    whole = {path: files.get(path, (base or exercise.starter).get(path, "")) for path in exercise.editable_paths}
    sizes = {path: _size(path, text) for path, text in whole.items()}
    if sum(sizes.values()) > MAX_WORKSPACE_BYTES:
        raise TooLarge(
            f"The files together are larger than {MAX_WORKSPACE_BYTES // 1024} KiB.",
            code="workspace-too-large",
            details={"limit": MAX_WORKSPACE_BYTES, "size": sum(sizes.values())},
        )
    return whole


def _size(path: str, text: str) -> int:
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise InvalidInput(f"`{path}` is not Unicode text.", code="not-text", details={"path": path}) from error
    if "\0" in text:
        raise InvalidInput(f"`{path}` contains a NUL character.", code="not-text", details={"path": path})
    if size > MAX_FILE_BYTES:
        raise TooLarge(
            f"`{path}` is larger than {MAX_FILE_BYTES // 1024} KiB.",
            code="file-too-large",
            details={"path": path, "limit": MAX_FILE_BYTES, "size": size},
        )
    return size


def files_hash(files: Mapping[str, str]) -> str:
    """SHA-256 of a set of files, in hex; the order does not matter."""
    return hashlib.sha256(json.dumps(files, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def checked_key(key: str | None) -> str | None:
    """An `Idempotency-Key` as it is stored.

    Raises:
        InvalidInput: too long, empty, or not printable ASCII.
    """
    if key is None:
        return None
    if not 0 < len(key) <= MAX_IDEMPOTENCY_KEY or not (key.isascii() and key.isprintable()):
        raise InvalidInput(
            f"Idempotency-Key must be 1 to {MAX_IDEMPOTENCY_KEY} printable ASCII characters.", code="bad-idempotency-key"
        )
    return key
