"""Image definitions: what an author may write, and what a change of it changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.errors import ContentInvalid
from app.sandbox.images.definition import load_image, load_images
from app.sandbox.images.layout import Layout
from tests.product import TOP

GOOD = """\
id: broker
title: {ru: Брокер, en: Broker}
packages: [base-files, dash]
files:
  /opt/start.sh: {source: start.sh, executable: true}
command: [/opt/start.sh]
ready: {kind: tcp, port: 5672}
ports: [5672]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "broker"
    folder.mkdir()
    (folder / "image.yaml").write_text(GOOD)
    (folder / "start.sh").write_text("#!/bin/sh\n")
    return folder


def test_our_own_images_are_valid() -> None:
    assert {"agent", "prober", "python", "rabbitmq"} <= set(load_images(TOP / "sandboxes"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("ports: [5672]", "ports: [5672]\nprots: []", "broker/image.yaml:9: unknown key `prots`"),
        ("packages: [base-files, dash]", "packages: [base-files, 'da sh']", "broker/image.yaml:3: `packages.1`"),
        ("id: broker", "id: other", "broker/image.yaml:1: `id` is other, the folder is broker"),
        ("source: start.sh", "source: nowhere.sh", "broker/image.yaml:5: there is no file nowhere.sh"),
        ("source: start.sh", "source: ../start.sh", "broker/image.yaml:5: `files./opt/start.sh.source`"),
        ("/opt/start.sh: {", "/opt/../start.sh: {", "`..` is not allowed"),
        ("ports: [5672]", "ports: [15672]", "broker/image.yaml:7: port 5672 is not among `ports`"),
    ],
)
def test_a_fault_names_its_file_and_line(folder: Path, old: str, new: str, message: str) -> None:
    # Given a definition with one fault
    (folder / "image.yaml").write_text(GOOD.replace(old, new))
    # When it is loaded, then the message leads there
    with pytest.raises(ContentInvalid) as caught:
        load_image(folder)
    assert message in str(caught.value)


def test_the_faults_of_all_images_are_told_at_once(folder: Path) -> None:
    other = folder.parent / "cache"
    other.mkdir()
    (other / "image.yaml").write_text("id: cache\n")
    (folder / "image.yaml").write_text(GOOD + "more: 1\n")
    with pytest.raises(ContentInvalid) as caught:
        load_images(folder.parent)
    assert {problem.path for problem in caught.value.problems} == {"broker/image.yaml", "cache/image.yaml"}


def test_the_digest_changes_with_the_definition_and_with_every_file_of_it(folder: Path) -> None:
    layout = Layout(folder.parent / "store")
    before = layout.digest(load_image(folder))
    assert layout.digest(load_image(folder)) == before
    # When a file that it names changes
    (folder / "start.sh").write_text("#!/bin/sh\nexit 1\n")
    with_file = layout.digest(load_image(folder))
    # And when the definition itself does
    (folder / "image.yaml").write_text(GOOD.replace("dash]", "dash, sed]"))
    with_package = layout.digest(load_image(folder))
    assert len({before, with_file, with_package}) == 3


def test_a_comment_does_not_change_the_digest(folder: Path) -> None:
    layout = Layout(folder.parent / "store")
    before = layout.digest(load_image(folder))
    (folder / "image.yaml").write_text("# why\n" + GOOD)
    (folder / "notes.txt").write_text("not part of the image")
    assert layout.digest(load_image(folder)) == before
