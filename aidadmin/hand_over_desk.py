"""The desk of hand-overs: what would be handed over, doing it, the paper, and its signed copy."""

from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from accounts import audit, clock, people
from accounts.access import desk
from accounts.forms import DayInput, PersonField, a_day_of_work
from accounts.models import Appointment, User
from accounts.roles import Permission
from archives.models import HandOver
from documents import issuing, uploads
from documents.forms import UploadField
from documents.models import Upload

from . import hand_overs as verbs

_MOST_NAMED = 20  # former hand-overs of one person, on the page


class PostsField(forms.ModelMultipleChoiceField):
    widget = forms.CheckboxSelectMultiple

    def label_from_instance(self, post: Appointment) -> str:
        school = f"{post.unit.parent.name} " if post.unit.level == "class" and post.unit.parent else ""
        return f"{school}{post.post}"


class HandOverForm(forms.Form):
    """Which posts go to whom, and from when."""

    posts = PostsField(
        label="交接的任职", queryset=Appointment.objects.none(), error_messages={"required": "请至少选择一项。"}
    )
    successor = PersonField(label="接收人", help_text="填账号或姓名。")
    starts_on = forms.DateField(
        label="接收人任职开始",
        widget=DayInput,
        validators=[a_day_of_work],
        help_text="移交人任职到前一天为止。不能早于今天。",
    )

    def __init__(self, *args: object, posts: QuerySet[Appointment], people: QuerySet[User], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        held = self.fields["posts"]
        assert isinstance(held, PostsField)
        held.queryset, held.initial = posts, [post.pk for post in posts]
        successor = self.fields["successor"]
        assert isinstance(successor, PersonField)
        successor.people = people


class SignedHandOverForm(forms.Form):
    file = UploadField(kind=Upload.Kind.HAND_OVER, label="签字的交接单")


@require_http_methods(["GET", "POST"])
@desk(Permission.MANAGE_ACCOUNTS)
def hand_over_new(request: HttpRequest, pk: int) -> HttpResponse:
    """Open work, pending returns and rights of whoever leaves, on one page; then the posts move."""
    leaver = get_object_or_404(people.visible_people(request.user), pk=pk)
    posts = verbs.posts_of(leaver)
    active = people.visible_people(request.user).filter(is_active=True)
    form = HandOverForm(request.POST or None, posts=posts, people=active)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            made = verbs.hand_over(
                leaver, given["successor"], given["posts"], starts_on=given["starts_on"], by=request.user
            )
        except ValidationError as error:
            fields = set(getattr(error, "error_dict", {}))
            form.add_error(None, error if fields and fields <= set(form.fields) else ValidationError(error.messages))
        else:
            messages.success(
                request, f"交接已办理，交接单 {made.document.number}。请打印，双方签字后把扫描件传回这里。"
            )
            return redirect("hand_over", made.pk)
    context = {
        "person": leaver,
        "form": form,
        "found": verbs.contents(leaver, list(posts)),
        "today": clock.today(),
        "former": verbs.visible(request.user).filter(leaver=leaver)[:_MOST_NAMED],
    }
    return render(request, "aidadmin/hand_over_new.html", context)


@require_http_methods(["GET", "POST"])
@desk(Permission.MANAGE_ACCOUNTS)
def hand_over(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One hand-over: its paper, and the signed copy once it is there."""
    made = _find(request, pk)
    form = SignedHandOverForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        try:
            verbs.keep_signed(made, form.cleaned_data["file"], by=request.user)
        except ValidationError as error:
            form.add_error("file", ValidationError(error.messages))
        else:
            messages.success(request, "签字的交接单已存档，这次交接办结。")
            return redirect("hand_over", pk)
    return render(request, "aidadmin/hand_over.html", {"made": made, "form": form})


@require_safe
@desk(Permission.MANAGE_ACCOUNTS)
def hand_over_paper(request: HttpRequest, pk: UUID) -> HttpResponse:
    return issuing.serve(_find(request, pk).document)


@require_safe
@desk(Permission.MANAGE_ACCOUNTS)
def hand_over_signed(request: HttpRequest, pk: UUID, copy: int) -> HttpResponse:
    made = _find(request, pk)
    row = get_object_or_404(made.signed_copies.select_related("scan"), pk=copy)
    if uploads.wants_preview(request):
        return uploads.serve_preview(row.scan)
    audit.record("hand_over.read_signed", made, by=request.user, unit=made.unit)
    return uploads.serve(row.scan, inline=True)


def _find(request: HttpRequest, pk: UUID) -> HandOver:
    return get_object_or_404(verbs.visible(request.user), pk=pk)
