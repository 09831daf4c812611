"""The permissions, and those of the built-in roles."""

from __future__ import annotations

from typing import Final

from django.db import models


class Permission(models.TextChoices):
    """What a role can allow. The label completes the sentence “Your role may not …”."""

    MANAGE_USERS = "users.manage", "manage users and roles"
    WRITE_CONSIGNMENTS = "consignments.write", "write consignments"
    WRITE_LOGS = "logs.write", "write logs"
    WRITE_FILES = "files.write", "upload and change files"
    WRITE_NOTES = "notes.write", "write notes"


OWNER: Final = "owner"
# The rows of the built-in roles are created by migration 0002: a change here needs another one.
BUILT_IN_ROLES: Final[dict[str, tuple[Permission, ...]]] = {
    OWNER: tuple(Permission),
    "manager": tuple(p for p in Permission if p != Permission.MANAGE_USERS),
    "operator": (Permission.WRITE_LOGS, Permission.WRITE_FILES, Permission.WRITE_NOTES),
    "viewer": (),
}
