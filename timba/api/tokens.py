"""Sign-in and sign-out of programs: `/api/token/`, `/api/token/refresh/`, `/api/token/revoke/`."""

from __future__ import annotations

from typing import Annotated, Any, TypedDict

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.views import APIView

from timba.accounts.sign_in import check_credentials
from timba.accounts.tokens import TokenPair, issue_tokens, revoke_tokens, rotate_tokens
from timba.api.http import JSONResponse, validated
from timba.api.openapi import RATE_LIMIT_RESPONSE, example_request, schema_of


class TokensSchema(TypedDict):
    """The tokens of a sign-in."""

    access: Annotated[
        str, "Access token (JWT), valid for 15 minutes.", "eyJhbGciOiJIUzI1NiJ9.e30.c2ln"
    ]
    refresh: Annotated[
        str, "Refresh token, valid for 7 days and for one use.", "eyJhbGciOiJIUzI1NiJ9.e30.cmVm"
    ]


@example_request({"username": "anna", "password": "four oaks in a row"})
class CredentialsSerializer(serializers.Serializer[Any]):
    """A username and its password."""

    username = serializers.CharField(
        allow_blank=True, trim_whitespace=False, help_text="Name to sign in with."
    )
    password = serializers.CharField(
        allow_blank=True, trim_whitespace=False, help_text="The user's password."
    )


@example_request({"refresh": "eyJhbGciOiJIUzI1NiJ9.e30.cmVm"})
class RefreshTokenSerializer(serializers.Serializer[Any]):
    """A refresh token."""

    refresh = serializers.CharField(trim_whitespace=False, help_text="The newest refresh token.")


class TokenView(APIView):
    """Starts a sign-in."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(
        summary="Sign in",
        description="The access token is valid for 15 minutes, the refresh token for 7 days.",
        request=CredentialsSerializer,
        responses={200: schema_of(TokensSchema), **RATE_LIMIT_RESPONSE},
    )
    def post(self, request: Request) -> JSONResponse:
        credentials = validated(CredentialsSerializer(data=request.data))
        user = check_credentials(request._request, **credentials)
        return _token_response(issue_tokens(user=user))


class RefreshView(APIView):
    """Exchanges a refresh token for a new pair."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(
        summary="Exchange a refresh token for a new pair",
        description="The old refresh token is invalid at once.",
        request=RefreshTokenSerializer,
        responses={200: schema_of(TokensSchema)},
    )
    def post(self, request: Request) -> JSONResponse:
        return _token_response(
            rotate_tokens(**validated(RefreshTokenSerializer(data=request.data)))
        )


class RevokeView(APIView):
    """Ends a sign-in."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(
        summary="Sign out",
        description="Revokes the refresh token and all tokens of its sign-in.",
        request=RefreshTokenSerializer,
        responses={204: None},
    )
    def post(self, request: Request) -> JSONResponse:
        revoke_tokens(**validated(RefreshTokenSerializer(data=request.data)))
        return JSONResponse(status=204)


def _token_response(pair: TokenPair) -> JSONResponse:
    return JSONResponse(TokensSchema(access=pair.access, refresh=pair.refresh))
