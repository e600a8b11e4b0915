"""Tickets for the streams of a sandbox, for those who may look at it."""

from __future__ import annotations

from sqlalchemy import select

from app.accounts.viewer import Viewer
from app.db import Database
from app.errors import InvalidInput, NotFound
from app.sandbox.grants import Kind, TicketMint
from app.sandbox.model import SandboxState
from app.sandbox.row import SandboxRow

MAX_SERVICE = 24  #: characters of a replica's full name


class StreamTickets:
    """Mints tickets.

    Args:
        audience: origin of the `live` process.
    """

    def __init__(self, database: Database, mint: TicketMint, audience: str) -> None:
        self._database = database
        self._mint = mint
        self._audience = audience

    def ticket(self, viewer: Viewer, sandbox_id: str, kind: str, service: str = "") -> str:
        """A ticket for one stream: `watch` its states, or follow the `logs` of one replica.

        Raises:
            NotFound: there is no living sandbox of this id that the viewer may see.
            InvalidInput: no such kind of stream, or no replica named for `logs`.
        """
        if kind not in (Kind.WATCH, Kind.LOGS) or (kind == Kind.LOGS) != (0 < len(service) <= MAX_SERVICE):
            raise InvalidInput("A stream is `watch`, or `logs` of one service.", code="bad-stream")
        mine = (SandboxRow.id == sandbox_id, viewer.scope_for(SandboxRow.owner_id), SandboxRow.state != SandboxState.GONE)
        with self._database.read() as session:
            found = session.scalar(select(SandboxRow.id).where(*mine))
        if found is None:
            raise NotFound("There is no such sandbox.", code="no-such-sandbox")
        return self._mint.mint(user=viewer.user_id, sandbox=found, kind=Kind(kind), audience=self._audience, service=service)
