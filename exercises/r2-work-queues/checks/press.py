"""The given service `press`, seen from the prober's side of the counter."""

from collections.abc import Iterable, Mapping

from kit import Kit


class Press:
    """Opens days, holds books in print, and tells what became of each."""

    def __init__(self, kit: Kit) -> None:
        self._http = kit.control("press", 8080)

    def open_day(
        self,
        books: Iterable[str] = (),
        *,
        held: Iterable[str] = (),
        refused: Mapping[str, int] | None = None,
        seconds: float = 0.0,
    ) -> None:
        """Forget the day before. `held` books print until `hold` lets them go, `refused` ones fail so many times first.

        Any other book takes `seconds`.
        """
        day = {"books": list(books), "held": list(held), "refused": dict(refused or {}), "seconds": seconds}
        self._http.post("/control/day", json_body=day)

    def hold(self, *books: str) -> None:
        """Hold these from now on, and let all others come out."""
        self._http.post("/control/hold", json_body={"books": list(books)})

    def printed(self) -> list[str]:
        """Books that have come out, in their order; one that was printed twice stands there twice."""
        return self._in_state("printed")

    def printing(self) -> list[str]:
        """Books that are in the press now."""
        return self._in_state("printing")

    def cut_short(self) -> list[str]:
        """Books whose worker went away while they were printed."""
        return self._in_state("cut short")

    def _in_state(self, state: str) -> list[str]:
        return [job["book"] for job in self._http.get("/control/jobs").json()["jobs"] if job["state"] == state]
