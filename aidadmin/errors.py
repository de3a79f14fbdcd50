"""Pages for when something is refused, missing or broken: what happened, and the way on.

The 500 page is rendered without request, database or session, because any of them may be what broke.
"""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import get_template

_NOT_ALLOWED = "您目前的任职不含这一页的权限。"


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "400.html", status=400)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The verb's own sentence when it gave one: it says who does this step."""
    return render(request, "403.html", {"sentence": str(exception) or _NOT_ALLOWED}, status=403)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The same page whether the record is missing or lies outside the person's scope."""
    return render(request, "404.html", status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    number = getattr(request, "number", "")
    return HttpResponse(get_template("500.html").render({"number": number}), status=500)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Mostly a page left open over a sign-out or over eight hours; nothing was written."""
    sentence = "这一页打开得太久，或者您在别的窗口退出过，系统没有接受刚才的提交，也没有保存任何内容。"
    way_on = "请返回上一页，先复制尚未保存的文字，再刷新页面重新提交。"
    return render(request, "403.html", {"sentence": sentence, "way_on": way_on, "is_expired": True}, status=403)
