"""The subscriptions' door: `/api/clients/<id>/subscription/`."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from timba.accounts.models import Subscription
from timba.accounts.shapes import SubscriptionShape, subscription_shape
from timba.accounts.subscriptions import MAX_SEATS, STATUSES, change_subscription
from timba.api.authentication import actor_of
from timba.api.clients import visible_client
from timba.api.queries import read
from timba.api.schema import CONFLICT, shape


class SubscriptionInput(serializers.Serializer[Subscription]):
    """What changes about a subscription."""

    plan = serializers.ChoiceField(choices=Subscription.Plan.choices)
    seats = serializers.IntegerField(min_value=1, max_value=MAX_SEATS)
    status = serializers.ChoiceField(
        choices=STATUSES,
        help_text="chooses the plan and the end that go with it, where those are not given",
    )
    current_period_end = serializers.DateTimeField()


class SubscriptionDoor(APIView):
    """A client's subscription: staff extend, end or resize it."""

    @extend_schema(responses={200: shape(SubscriptionShape)})
    def get(self, request: Request, pk: int) -> Response:
        return Response(subscription_shape(visible_client(request, pk).subscription))

    @extend_schema(
        request=SubscriptionInput(partial=True),
        responses={200: shape(SubscriptionShape), **CONFLICT},
    )
    def patch(self, request: Request, pk: int) -> Response:
        client = visible_client(request, pk)
        sent = read(SubscriptionInput(data=request.data, partial=True))
        subscription = change_subscription(actor=actor_of(request), client=client, **sent)
        return Response(subscription_shape(subscription))
