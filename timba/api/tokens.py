"""Where programs sign in and out: `/api/token/`, `/api/token/refresh/`, `/api/token/revoke/`."""

from __future__ import annotations

from typing import Any, TypedDict

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from timba.accounts.sign_in import check_credentials
from timba.accounts.tokens import TokenPair, issue_tokens, revoke_tokens, rotate_tokens
from timba.api.http import validated
from timba.api.openapi import RATE_LIMIT_RESPONSE, schema_of


class TokensSchema(TypedDict):
    access: str
    refresh: str


class Credentials(serializers.Serializer[Any]):
    username = serializers.CharField(allow_blank=True, trim_whitespace=False)
    password = serializers.CharField(allow_blank=True, trim_whitespace=False)


class RefreshInput(serializers.Serializer[Any]):
    refresh = serializers.CharField(trim_whitespace=False)


class TokenView(APIView):
    """Begins a sign-in."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(
        request=Credentials,
        responses={200: schema_of(TokensSchema), **RATE_LIMIT_RESPONSE},
    )
    def post(self, request: Request) -> Response:
        sent = validated(Credentials(data=request.data))
        user = check_credentials(request._request, **sent)
        return _answer(issue_tokens(user=user))


class RefreshView(APIView):
    """Exchanges a refresh token for a new pair."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(request=RefreshInput, responses={200: schema_of(TokensSchema)})
    def post(self, request: Request) -> Response:
        return _answer(rotate_tokens(**validated(RefreshInput(data=request.data))))


class RevokeView(APIView):
    """Ends a sign-in."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(request=RefreshInput, responses={204: None})
    def post(self, request: Request) -> Response:
        revoke_tokens(**validated(RefreshInput(data=request.data)))
        return Response(status=204)


def _answer(pair: TokenPair) -> Response:
    tokens = TokensSchema(access=pair.access, refresh=pair.refresh)
    # RFC 6749, section 5.1: nobody on the way keeps a token.
    return Response(tokens)
