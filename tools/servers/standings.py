"""How servers stand, for people, for programs, and for the environment of those who use them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tools.servers.machine import CannotBeHad
from tools.servers.runs import Place
from tools.servers.server import Instance, Program, Server


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """One program now: there, or not and why."""

    program: Program
    version: str = ""
    instance: Instance | None = None  # of a server that is up
    pid: int | None = None
    reason: str = ""

    @property
    def is_there(self) -> bool:
        """Tell whether tests can use it."""
        return not self.reason

    def line(self) -> str:
        """Say it to a person."""
        if self.reason:
            return self.reason
        title = f"{self.program.title} {self.version}"
        if self.instance is None:
            return f"{title:24} installed"
        return f"{title:24} {self.instance.address:16} pid {self.pid}"

    def facts(self) -> dict[str, str | int | None]:
        """Say it to a program."""
        return {
            "name": self.program.name,
            "title": self.program.title,
            "version": self.version,
            "address": self.instance.address if self.instance else None,
            "pid": self.pid,
            "missing": self.reason,
        }


def standing_of(program: Program, place: Place) -> Standing:
    """Look at one program now."""
    if not isinstance(program, Server):
        try:
            return Standing(program=program, version=program.version())
        except CannotBeHad as absent:
            return Standing(program=program, reason=str(absent))
    instance, identity = place.instance(), place.identity()
    if instance and identity:
        return Standing(
            program=program, version=instance.version, instance=instance, pid=identity.pid
        )
    bring_up = f"Bring it up: tools/services up {program.name}"
    state = "has ended by itself" if instance else "is not up"
    return Standing(program=program, reason=place.reason or f"{program.title} {state}. {bring_up}")


def environment(standings: Sequence[Standing], *, for_timba: bool) -> dict[str, str]:
    """Return the variables that lead to what is up, and say why about what is not.

    Where two servers can be Timba's database or store, the first of them is.
    """
    variables: dict[str, str] = {}
    titles = []
    for standing in standings:
        program = standing.program
        if not standing.is_there:
            variables[f"TIMBA_TEST_{program.name.upper()}_MISSING"] = standing.reason
            continue
        titles.append(f"{program.title} {standing.version}")
        if isinstance(program, Server) and standing.instance:
            if for_timba:
                variables = program.timba_variables(standing.instance) | variables
            variables |= program.test_variables(standing.instance)
    variables["TIMBA_TEST_SERVERS"] = ", ".join(titles)
    return variables
