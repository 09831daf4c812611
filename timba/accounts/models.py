"""Clients and their subscriptions, users and their roles, tokens, and rate limits."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import ClassVar, Literal

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.crypto import salted_hmac

from timba.accounts.permissions import OWNER
from timba.accounts.tenancy import ScopedManager, TenantQuerySet
from timba.accounts.time_zones import UTC_NAME, is_time_zone
from timba.errors import NotFound

TRIAL_DAYS = 30
TRIAL_SEATS = 5
MAX_USERNAME = 150
MAX_NAME = 200
MAX_ADDRESS = 500
MAX_CONTACT = 200
MAX_ROLE_NAME = 50
MAX_TIME_ZONE = 64
# Forms refuse longer passwords before they are hashed.
MAX_PASSWORD = 4096


class ClientQuerySet(TenantQuerySet["Client"]):
    """Clients: each user sees their own."""

    def _of_client(self, client_id: int) -> models.Q:
        return models.Q(pk=client_id)


def check_time_zone(name: str) -> None:
    """Raise ValidationError unless this is the name of a time zone."""
    if not is_time_zone(name):
        raise ValidationError(
            f"“{name}” is not a time zone: give a name such as “Europe/Riga” or “UTC”."
        )


class Client(models.Model):
    """A timber company: the tenant that rows belong to. It is suspended, never deleted."""

    name = models.CharField(max_length=MAX_NAME)
    address = models.CharField(max_length=MAX_ADDRESS, blank=True)
    contact = models.CharField(max_length=MAX_CONTACT, blank=True)
    email = models.EmailField(blank=True)
    # The zone of the times in PDFs and on paper.
    time_zone = models.CharField(
        max_length=MAX_TIME_ZONE, default=UTC_NAME, validators=[check_time_zone]
    )
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    unscoped = models.Manager.from_queryset(ClientQuerySet)()
    objects = ScopedManager["Client"]()

    class Meta:
        default_manager_name = "unscoped"
        ordering = ["id"]

    def __str__(self) -> str:
        return self.name


def end_of_trial() -> datetime:
    """Return the end of a trial that starts now."""
    return timezone.now() + timedelta(days=TRIAL_DAYS)


class Subscription(models.Model):
    """The period in which a client may write, its number of active users, and its storage."""

    class Plan(models.TextChoices):
        TRIAL = "trial"
        STANDARD = "standard"

    client = models.OneToOneField(
        Client, on_delete=models.CASCADE, related_name="subscription", primary_key=True
    )
    plan = models.CharField(max_length=20, choices=Plan, default=Plan.TRIAL)
    seats = models.PositiveIntegerField(default=TRIAL_SEATS)
    current_period_end = models.DateTimeField(default=end_of_trial)
    # Null for none. `used_bytes` are those of all files that were accepted and not erased yet.
    quota_bytes = models.BigIntegerField(
        "quota in bytes", null=True, blank=True, help_text="1 GB is 1073741824; empty for no limit."
    )
    used_bytes = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(quota_bytes__isnull=True) | models.Q(quota_bytes__gte=0),
                name="subscription_quota_is_not_negative",
            ),
            models.CheckConstraint(
                condition=models.Q(used_bytes__gte=0),
                name="subscription_used_bytes_are_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.plan} of {self.client}, {self.status}"

    @property
    def is_lapsed(self) -> bool:
        return self.current_period_end <= timezone.now()

    @property
    def status(self) -> Literal["trial", "active", "lapsed"]:
        """The status as of now: it follows from the plan and the period."""
        if self.is_lapsed:
            return "lapsed"
        return "trial" if self.plan == self.Plan.TRIAL else "active"

    @property
    def free_bytes(self) -> int | None:
        """How many more bytes the quota has room for; None without a quota."""
        return None if self.quota_bytes is None else max(0, self.quota_bytes - self.used_bytes)

    def has_room_for(self, size: int) -> bool:
        """Whether the quota has room for `size` more bytes."""
        return self.free_bytes is None or size <= self.free_bytes


class RoleQuerySet(TenantQuerySet["Role"]):
    """Roles: users see the built-in roles and those of their client."""

    def _of_client(self, client_id: int) -> models.Q:
        return models.Q(client_id=client_id) | models.Q(client__isnull=True)

    def assignable_in(self, client: Client) -> RoleQuerySet:
        """Return the roles that the client's users can have: the built-in ones and its own."""
        return self.filter(self._of_client(client.pk))

    def by_name_or_id(self, name_or_id: str | int) -> Role:
        """Return the role with this name, or else with this id; raise NotFound."""
        if isinstance(name_or_id, str):
            role = self.filter(name=name_or_id).first()
            if role is not None:
                return role
            if not (name_or_id.isascii() and name_or_id.isdigit()):
                raise NotFound("There is no such role.")
        return self.get_or_not_found(pk=name_or_id)


class Role(models.Model):
    """A named set of permissions; a built-in role has no client."""

    client = models.ForeignKey(Client, on_delete=models.CASCADE, null=True, related_name="+")
    name = models.CharField(max_length=MAX_ROLE_NAME)
    permissions = models.JSONField(default=list)

    unscoped = models.Manager.from_queryset(RoleQuerySet)()
    objects = ScopedManager["Role"]()

    class Meta:
        default_manager_name = "unscoped"
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["client", "name"], name="role_name_is_unique"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_owner(self) -> bool:
        return self.client_id is None and self.name == OWNER


class UserQuerySet(TenantQuerySet["User"]):
    """Users: each sees the users of their own client."""

    def with_client_and_role(self) -> UserQuerySet:
        """Fetch the client, subscription and role with each user: every request needs them."""
        return self.select_related("client__subscription", "role")


class UserManager(BaseUserManager["User"]):
    """Finds users by username for signing in, and creates staff."""

    def get_queryset(self) -> UserQuerySet:
        return UserQuerySet(self.model, using=self._db)

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get_queryset().with_client_and_role().get(username=username)

    def create_superuser(self, username: str, password: str | None = None) -> User:
        """Create a member of staff: a user without a client, who sees all clients."""
        user = self.model(username=username, name=username, is_staff=True, is_superuser=True)
        user.set_password(password)
        user.save(using=self._db)
        return user


def check_username(username: str) -> None:
    """Raise ValidationError for unprintable characters and surrounding blanks."""
    if not username.isprintable() or username != username.strip():
        raise ValidationError("Use printable characters, without blanks before or behind them.")


class User(AbstractBaseUser, PermissionsMixin):
    """A person or program that signs in: a user of one client, or staff."""

    USERNAME_FIELD = "username"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    client = models.ForeignKey(Client, on_delete=models.PROTECT, null=True, related_name="users")
    role = models.ForeignKey(Role, on_delete=models.PROTECT, null=True, related_name="users")
    username = models.CharField(max_length=MAX_USERNAME, validators=[check_username])
    name = models.CharField(max_length=MAX_NAME)
    address = models.CharField(max_length=MAX_ADDRESS, blank=True)
    contact = models.CharField(max_length=MAX_CONTACT, blank=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    # Tokens and sessions contain the version; incrementing it revokes all of them.
    token_version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    unscoped = UserManager()
    objects = ScopedManager["User"]()

    class Meta:
        default_manager_name = "unscoped"
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["username"], name="username_is_unique"),
            models.CheckConstraint(
                condition=models.Q(is_staff=True, client__isnull=True)
                | models.Q(is_staff=False, client__isnull=False, role__isnull=False),
                name="user_is_staff_or_has_client_and_role",
            ),
        ]

    def __str__(self) -> str:
        return self.username

    @property
    def can_sign_in(self) -> bool:
        """Whether the user and the user's client are active."""
        return self.is_active and (self.client is None or self.client.is_active)

    @property
    def is_owner(self) -> bool:
        return self.role is not None and self.role.is_owner

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """Include the token version, so that it revokes sessions as well as tokens."""
        state = f"{self.token_version}:{self.password}"
        return salted_hmac("timba.session", state, secret=secret, algorithm="sha256").hexdigest()


class TokenFamily(models.Model):
    """The refresh tokens that descend from one sign-in of a program."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="token_families")
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.user} since {self.created_at}"


class RefreshToken(models.Model):
    """An issued refresh token; it can be used once."""

    jti = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    family = models.ForeignKey(TokenFamily, on_delete=models.CASCADE, related_name="refresh_tokens")
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["expires_at"], name="refresh_expiry")]

    def __str__(self) -> str:
        return str(self.jti)


class RateLimit(models.Model):
    """The latest hits of one subject under one rate; see `rate_limit`."""

    key = models.CharField(max_length=200, primary_key=True)
    # Unix timestamps in seconds, oldest first.
    times = models.JSONField(default=list)
    expires_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["expires_at"], name="rate_limit_expiry")]

    def __str__(self) -> str:
        return self.key
