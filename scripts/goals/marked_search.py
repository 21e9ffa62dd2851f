"""Runs commands of the marked project and looks through all that comes out."""

from __future__ import annotations

from dataclasses import dataclass, field

from goals.marked_project import KEY, SYNC

from tests.canaries import MARKED, SECRETS, Output, files, hits
from tests.projects import TestProject
from tests.receiver import Receiver

ALLOWED = ("data/", ".tidegate/segments", "destinations/hook.yaml", "bad/")
"""Where personal data may lie: the source and the segments; and the file in which somebody wrote a secret down."""

_LOOKS: tuple[tuple[str, ...], ...] = (
    ("validate",),
    ("validate", "--connect"),
    ("status",),
    ("runs", SYNC),
    ("versions", "people"),
    ("show", SYNC, "--key", KEY),
    ("show", SYNC, "--key", "k1"),
    ("plan", SYNC, "--samples", "100"),
    ("quarantine", "list", SYNC),
    ("quarantine", "show", SYNC, "--key", "k1"),
    ("approvals",),
    ("gates", SYNC, "--samples", "100"),
    ("gates", "people", "--samples", "100"),
    ("quarantine", "list", "people"),
    ("suppress", "list"),
    ("erasures", "list"),
    ("ledger", "tail", "--limit", "1000"),
    ("ledger", "verify"),
    ("destination", "list"),
)


@dataclass
class Search:
    """What was run and found so far; ``told`` is printed for whoever mends it."""

    project: TestProject
    receiver: Receiver
    commands: int = 0
    searched: int = 0
    bugs: int = 0
    failed: int = 0
    found: list[str] = field(default_factory=list)

    def run(self, *arguments: str, allowed: tuple[str, ...] = ()) -> int:
        """Run a command at its loudest and look through all that it said; ``allowed`` was typed by the operator."""
        ended = self.project.run("--debug", *arguments)
        self.commands += 1
        self.bugs += "This is a bug" in ended.err
        said = [
            Output(f"{stream} of {' '.join(arguments)}", text.encode())
            for stream, text in (("stdout", ended.out), ("stderr", ended.err))
        ]
        self.look(said, allowed)
        return ended.code

    def both(self, *arguments: str, allowed: tuple[str, ...] = ()) -> int:
        """The same as text and as JSON."""
        self.run("--json", *arguments, allowed=allowed)
        return self.run(*arguments, allowed=allowed)

    def look(self, outputs: list[Output], allowed: tuple[str, ...] = ()) -> None:
        """Search outputs for every marked value but those that are ``allowed``."""
        self.searched += sum(len(output.content) for output in outputs)
        self.found += hits(outputs, {what: value for what, value in MARKED.items() if value not in allowed})

    def look_around(self) -> None:
        """Everything that a command may say of what happened."""
        for look in _LOOKS:
            self.both(*look, allowed=(KEY,) if KEY in look else ())

    def look_at_files(self) -> None:
        """All that lies in the project, and every secret also where personal data may lie."""
        self.look(list(files(self.project.folder, *ALLOWED)))
        outputs = list(files(self.project.folder / ".tidegate"))
        self.searched += sum(len(output.content) for output in outputs)
        self.found += hits(outputs, SECRETS)
