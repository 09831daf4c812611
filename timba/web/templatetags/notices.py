"""The template tag of the pages that say what was just done."""

from __future__ import annotations

from typing import Any

from django import template

from timba.web.notices import Notice, take_notice

register = template.Library()


@register.simple_tag(takes_context=True, name="take_notice")
def take_notice_of_page(context: Any) -> Notice | None:
    """Return the notice that waits for this page, once."""
    return take_notice(context["request"])
