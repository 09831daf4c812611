"""The status of dependencies: for people, as JSON, and as environment variables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tools.servers.packages import ServerUnavailable
from tools.servers.server import Dependency, Instance, Server
from tools.servers.state import ServerState


@dataclass(frozen=True, kw_only=True, slots=True)
class Status:
    """Whether one dependency is available now, and if not, the reason."""

    dependency: Dependency
    version: str = ""
    instance: Instance | None = None  # of a server that is up
    pid: int | None = None
    reason: str = ""

    @property
    def is_available(self) -> bool:
        """Whether tests can use it."""
        return not self.reason

    def summary(self) -> str:
        """Return one line for people."""
        if self.reason:
            return self.reason
        title = f"{self.dependency.title} {self.version}"
        if self.instance is None:
            return f"{title:24} installed"
        return f"{title:24} {self.instance.address:16} pid {self.pid}"

    def as_dict(self) -> dict[str, str | int | None]:
        """Return the values for JSON."""
        return {
            "name": self.dependency.name,
            "title": self.dependency.title,
            "version": self.version,
            "address": self.instance.address if self.instance else None,
            "pid": self.pid,
            "missing": self.reason,
        }


def get_status(dependency: Dependency, state: ServerState) -> Status:
    """Return the current status of one dependency."""
    if not isinstance(dependency, Server):
        try:
            return Status(dependency=dependency, version=dependency.version())
        except ServerUnavailable as error:
            return Status(dependency=dependency, reason=str(error))
    instance, identity = state.instance(), state.identity()
    if instance and identity:
        return Status(
            dependency=dependency, version=instance.version, instance=instance, pid=identity.pid
        )
    bring_up = f"Bring it up: tools/services up {dependency.name}"
    condition = "has ended by itself" if instance else "is not up"
    reason = state.reason or f"{dependency.title} {condition}. {bring_up}"
    return Status(dependency=dependency, reason=reason)


def environment(statuses: Sequence[Status], *, for_timba: bool) -> dict[str, str]:
    """Return the variables that name what is available, and the reasons for what is not.

    With `for_timba`, Timba's own variables are included; where two servers can be its database or
    store, the first of them is.
    """
    variables: dict[str, str] = {}
    titles = []
    for status in statuses:
        dependency = status.dependency
        if not status.is_available:
            variables[f"TIMBA_TEST_{dependency.name.upper()}_MISSING"] = status.reason
            continue
        titles.append(f"{dependency.title} {status.version}")
        if isinstance(dependency, Server) and status.instance:
            if for_timba:
                variables = dependency.timba_variables(status.instance) | variables
            variables |= dependency.test_variables(status.instance)
    variables["TIMBA_TEST_SERVERS"] = ", ".join(titles)
    return variables
