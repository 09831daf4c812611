"""The two APIs for consignments and logs behind one interface, so that one test covers both."""

from __future__ import annotations

from typing import Any, Final

from rest_framework.test import APIClient

from tests.contract.responses import envelope

_PLURALS: Final = {"consignment": "consignments", "log": "logs"}


class TimbaApi:
    """`/timba/consignment` and `/timba/log`; an envelope surrounds each written row."""

    def __init__(self, api_client: APIClient) -> None:
        self.api_client = api_client

    def create_consignment(self, **fields: Any) -> Any:
        return self.api_client.put("/timba/consignment", fields)

    def add_log(self, consignment_id: int, **fields: Any) -> Any:
        return self.api_client.put("/timba/log", {"consignment_id": consignment_id, **fields})

    def get(self, noun: str, row_id: int) -> Any:
        return self.api_client.get(f"/timba/{noun}", {"id": row_id})

    def update(self, noun: str, row_id: int, **fields: Any) -> Any:
        return self.api_client.patch(f"/timba/{noun}", {f"{noun}_id": row_id, **fields})

    def delete(self, noun: str, row_id: int) -> Any:
        return self.api_client.delete(f"/timba/{noun}?{noun}_id={row_id}")

    def created(self, response: Any) -> dict[str, Any]:
        """Check that the response is 201 and return the row in it."""
        return envelope(response, 201)

    def updated(self, response: Any) -> dict[str, Any]:
        """Check that the response is 200 and return the row in it."""
        return envelope(response, 200)

    def is_deleted(self, response: Any, noun: str) -> bool:
        message = {"message": f"The {noun} has been deleted."}
        return bool((response.status_code, response.json()) == (200, message))


class RestApi(TimbaApi):
    """`/api/consignments/` and `/api/logs/`; rows are bare."""

    def create_consignment(self, **fields: Any) -> Any:
        return self.api_client.post("/api/consignments/", fields)

    def add_log(self, consignment_id: int, **fields: Any) -> Any:
        return self.api_client.post(f"/api/consignments/{consignment_id}/logs/", fields)

    def get(self, noun: str, row_id: int) -> Any:
        return self.api_client.get(f"/api/{_PLURALS[noun]}/{row_id}/")

    def update(self, noun: str, row_id: int, **fields: Any) -> Any:
        return self.api_client.patch(f"/api/{_PLURALS[noun]}/{row_id}/", fields)

    def delete(self, noun: str, row_id: int) -> Any:
        return self.api_client.delete(f"/api/{_PLURALS[noun]}/{row_id}/")

    def created(self, response: Any) -> dict[str, Any]:
        assert response.status_code == 201, response.content
        payload: dict[str, Any] = response.json()
        return payload

    def updated(self, response: Any) -> dict[str, Any]:
        assert response.status_code == 200, response.content
        payload: dict[str, Any] = response.json()
        return payload

    def is_deleted(self, response: Any, noun: str) -> bool:
        return bool((response.status_code, response.content) == (204, b""))
