"""The people of Timba: clients with their subscription, users with their role, their sign-ins."""

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
from timba.errors import NotFound

TRIAL_DAYS = 30
TRIAL_SEATS = 5
MAX_USERNAME = 150
MAX_NAME = 200
MAX_ADDRESS = 500
MAX_CONTACT = 200
MAX_ROLE_NAME = 50
# Forms refuse longer passwords before they are hashed.
MAX_PASSWORD = 4096


class ClientQuerySet(TenantQuerySet["Client"]):
    """Clients: each user sees the own one."""

    def _of_client(self, client_id: int) -> models.Q:
        return models.Q(pk=client_id)


class Client(models.Model):
    """A timber company: the tenant to whom rows belong. Suspended, never deleted."""

    name = models.CharField(max_length=MAX_NAME)
    address = models.CharField(max_length=MAX_ADDRESS, blank=True)
    contact = models.CharField(max_length=MAX_CONTACT, blank=True)
    email = models.EmailField(blank=True)
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
    return timezone.now() + timedelta(days=TRIAL_DAYS)


class Subscription(models.Model):
    """Until when a client may write, and with how many active users."""

    class Plan(models.TextChoices):
        TRIAL = "trial"
        STANDARD = "standard"

    client = models.OneToOneField(
        Client, on_delete=models.CASCADE, related_name="subscription", primary_key=True
    )
    plan = models.CharField(max_length=20, choices=Plan, default=Plan.TRIAL)
    seats = models.PositiveIntegerField(default=TRIAL_SEATS)
    current_period_end = models.DateTimeField(default=end_of_trial)

    def __str__(self) -> str:
        return f"{self.plan} of {self.client}, {self.status}"

    @property
    def is_lapsed(self) -> bool:
        return self.current_period_end <= timezone.now()

    @property
    def status(self) -> Literal["trial", "active", "lapsed"]:
        """Where the subscription stands today."""
        if self.is_lapsed:
            return "lapsed"
        return "trial" if self.plan == self.Plan.TRIAL else "active"


class RoleQuerySet(TenantQuerySet["Role"]):
    """Roles: the built-in ones belong to everyone."""

    def _of_client(self, client_id: int) -> models.Q:
        return models.Q(client_id=client_id) | models.Q(client__isnull=True)

    def assignable_in(self, client: Client) -> RoleQuerySet:
        """Return the built-in roles and the client's own: those its users may have."""
        return self.filter(self._of_client(client.pk))

    def by_name_or_id(self, name_or_id: str | int) -> Role:
        """Return the role of this name, else of this id; raise NotFound where there is none."""
        if isinstance(name_or_id, str):
            found = self.filter(name=name_or_id).first()
            if found is not None:
                return found
            if not (name_or_id.isascii() and name_or_id.isdigit()):
                raise NotFound("There is no such role.")
        return self.get_or_not_found(pk=name_or_id)


class Role(models.Model):
    """A named set of permissions; without a client it is built in."""

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
    """Users: each sees the colleagues in the own client."""

    def with_client_and_role(self) -> UserQuerySet:
        """Return users with what each request asks about: client, subscription and role."""
        return self.select_related("client__subscription", "role")


class UserManager(BaseUserManager["User"]):
    """Finds users by username for signing in, and makes the platform's staff."""

    def get_queryset(self) -> UserQuerySet:
        return UserQuerySet(self.model, using=self._db)

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get_queryset().with_client_and_role().get(username=username)

    def create_superuser(self, username: str, password: str | None = None) -> User:
        """Make platform staff: a user without client, who sees all clients."""
        user = self.model(username=username, name=username, is_staff=True, is_superuser=True)
        user.set_password(password)
        user.save(using=self._db)
        return user


def check_username(username: str) -> None:
    """Raise ValidationError for a username that people could not tell or type."""
    if not username.isprintable() or username != username.strip():
        raise ValidationError("Use printable characters, without blanks before or behind them.")


class User(AbstractBaseUser, PermissionsMixin):
    """A person (or a program) who signs in; belongs to one client, or is platform staff."""

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
    # Tokens and sessions carry the version they were made for; raising it ends them all at once.
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
        """Whether this user, and the client behind, are active."""
        return self.is_active and (self.client is None or self.client.is_active)

    @property
    def is_owner(self) -> bool:
        return self.role is not None and self.role.is_owner

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """Bind each session to the token version too, so that both ways to sign in end alike."""
        state = f"{self.token_version}:{self.password}"
        return salted_hmac("timba.session", state, secret=secret, algorithm="sha256").hexdigest()


class TokenFamily(models.Model):
    """One sign-in of a program: the family of its refresh tokens."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="token_families")
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.user} since {self.created_at}"


class RefreshToken(models.Model):
    """A refresh token that was given out; good for one use."""

    jti = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    family = models.ForeignKey(TokenFamily, on_delete=models.CASCADE, related_name="refresh_tokens")
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["expires_at"], name="refresh_expiry")]

    def __str__(self) -> str:
        return str(self.jti)


class RateLimit(models.Model):
    """The latest hits of one caller at something that may be tried only so often."""

    key = models.CharField(max_length=200, primary_key=True)
    # Seconds since 1970, oldest first.
    times = models.JSONField(default=list)
    expires_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["expires_at"], name="rate_limit_expiry")]

    def __str__(self) -> str:
        return self.key
