"""The supervisor's configuration, read by the supervisor itself."""

from __future__ import annotations

from pathlib import Path

from supervisor.options import ServerOptions

from app.launch.places import Places
from app.launch.supervise import configuration
from app.settings import CHECKOUT, Settings


def commands(folder: Path, **settings: int) -> dict[str, str]:
    """Process name -> what it runs."""
    text = configuration(Settings(home=folder, **settings), Places(folder, CHECKOUT, as_root=False, binds=()), {"A": "50 %"})
    path = folder / "supervisord.conf"
    path.write_text(text)
    options = ServerOptions()
    options.realize(["-c", str(path)])
    return {process.name: process.command for group in options.process_group_configs for process in group.process_configs}


def test_each_of_several_workers_has_a_place_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    assert set(commands(tmp_path)) == {"sandboxd", "worker", "live", "web"}
    several = commands(tmp_path, workers=3)
    places = [several[f"worker-{number}"].split("app.worker")[1] for number in range(3)]
    assert len(set(places)) == 3
    assert [place.split()[-2:] for place in places] == [["--slot", str(number)] for number in range(3)]
