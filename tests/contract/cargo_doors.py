"""The two doors of consignments and logs, so that one test can stand before either."""

from __future__ import annotations

from typing import Any, Final

from rest_framework.test import APIClient

from tests.contract.answers import envelope

_PLURALS: Final = {"consignment": "consignments", "log": "logs"}


class TimbaDoor:
    """`/timba/consignment` and `/timba/log`."""

    def __init__(self, program: APIClient) -> None:
        self.program = program

    def open(self, **fields: Any) -> Any:
        return self.program.put("/timba/consignment", fields)

    def add(self, load_id: int, **fields: Any) -> Any:
        return self.program.put("/timba/log", {"consignment_id": load_id, **fields})

    def get(self, noun: str, row_id: int) -> Any:
        return self.program.get(f"/timba/{noun}", {"id": row_id})

    def change(self, noun: str, row_id: int, **fields: Any) -> Any:
        return self.program.patch(f"/timba/{noun}", {f"{noun}_id": row_id, **fields})

    def delete(self, noun: str, row_id: int) -> Any:
        return self.program.delete(f"/timba/{noun}?{noun}_id={row_id}")

    def made(self, answer: Any) -> dict[str, Any]:
        return envelope(answer, 201)

    def changed(self, answer: Any) -> dict[str, Any]:
        return envelope(answer, 200)

    def gone(self, answer: Any, noun: str) -> bool:
        said = (answer.status_code, answer.json())
        return bool(said == (200, {"message": f"The {noun} has been deleted."}))


class RestDoor(TimbaDoor):
    """`/api/consignments/` and `/api/logs/`."""

    def open(self, **fields: Any) -> Any:
        return self.program.post("/api/consignments/", fields)

    def add(self, load_id: int, **fields: Any) -> Any:
        return self.program.post(f"/api/consignments/{load_id}/logs/", fields)

    def get(self, noun: str, row_id: int) -> Any:
        return self.program.get(f"/api/{_PLURALS[noun]}/{row_id}/")

    def change(self, noun: str, row_id: int, **fields: Any) -> Any:
        return self.program.patch(f"/api/{_PLURALS[noun]}/{row_id}/", fields)

    def delete(self, noun: str, row_id: int) -> Any:
        return self.program.delete(f"/api/{_PLURALS[noun]}/{row_id}/")

    def made(self, answer: Any) -> dict[str, Any]:
        assert answer.status_code == 201, answer.content
        bare: dict[str, Any] = answer.json()
        return bare

    def changed(self, answer: Any) -> dict[str, Any]:
        assert answer.status_code == 200, answer.content
        bare: dict[str, Any] = answer.json()
        return bare

    def gone(self, answer: Any, noun: str) -> bool:
        return bool((answer.status_code, answer.content) == (204, b""))
