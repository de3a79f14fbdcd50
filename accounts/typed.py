"""What was typed about a person to narrow a list: kept in the session, because no name may stand in an address.

One list at a time: whoever narrows another forgets the first.
"""

import re

from django import forms
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

_KEY = "typed"
_LONGEST = 60


class NameForm(forms.Form):
    """A person's name or a part of it; sent by POST."""

    q = forms.CharField(
        label="姓名",
        max_length=_LONGEST,
        required=False,
        widget=forms.TextInput(attrs={"type": "search", "autocomplete": "off"}),
    )


def kept(request: HttpRequest) -> str:
    """What this page is narrowed by; "" for the whole list."""
    held = request.session.get(_KEY) or {}
    return held.get("text", "") if held.get("path") == request.path else ""


def keep(request: HttpRequest) -> HttpResponse:
    """Keep what the form sent (nothing ends it) and show the page again from its first rows, other filters kept."""
    text = read(request)
    if text:
        request.session[_KEY] = {"path": request.path, "text": text}
    else:
        request.session.pop(_KEY, None)
    rest = request.GET.copy()
    rest.pop("page", None)
    return redirect(f"{request.path}{'?' if rest else ''}{rest.urlencode()}")


def read(request: HttpRequest) -> str:
    """The name that was sent; "" for nothing, or for what is no name but (a part of) a number."""
    form = NameForm(request.POST)
    text = form.cleaned_data["q"].strip() if form.is_valid() else ""
    return "" if len(re.sub("[^0-9]", "", text)) > 4 else text


def within(field: str, text: str) -> Q:
    """Whether the field holds the text, in any case. Chinese has none, and is then looked for as it stands, which is
    quicker than to turn every row into capitals."""
    has_case = text.upper() != text or text.lower() != text
    return Q(**{f"{field}__{'icontains' if has_case else 'contains'}": text})
