"""Sign-in and one's own password; the desk of accounts and appointments; the audit desk; the page of roles."""

import datetime as dt

import django_tables2 as tables
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login, logout, update_session_auth_hash
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Prefetch, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import get_object_or_404, redirect, render, resolve_url
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST, require_safe

from . import appointments, audit_checks, clock, paging, people, scopes, tasks, words
from .access import desk, fetch, open_to_all
from .forms import (
    AccountForm,
    AppointmentForm,
    AuditFilter,
    DeputyForm,
    EmailForm,
    EndForm,
    OwnPasswordForm,
    PeopleFilter,
    SignInForm,
)
from .models import Appointment, AuditCheck, AuditRow, Unit, User
from .paging import MOST_PAGED, NewestFirst
from .roles import ROLES, Permission
from .tables import AuditTable, PeopleTable, last_key
from .templatetags.aid import cn_date

ROWS_PER_PAGE = 50
_MOST_PEOPLE = 200  # named by one filter of the trail


# --- coming and going -----------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@login_not_required
@sensitive_post_parameters("password")
@never_cache
def sign_in(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated:
        return redirect(_way_on(request))
    form = SignInForm(request, data=request.POST or None)
    if request.method == "POST" and form.is_valid():
        login(request, form.get_user())
        return redirect(_way_on(request))
    return render(request, "accounts/login.html", {"form": form})


@require_POST
@open_to_all
def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    messages.success(request, "您已退出。离开公用电脑前，请关闭浏览器。")
    return redirect("login")


@require_GET
@login_not_required
@never_cache
def session(request: HttpRequest) -> HttpResponse:
    """Who is signed in now, and the token a form needs: asked by a page before it gives up what was typed in it."""
    return JsonResponse({"person": request.user.pk, "token": get_token(request)})


@require_http_methods(["GET", "POST"])
@sensitive_post_parameters("old_password", "new_password1", "new_password2")
@open_to_all
def password_change(request: HttpRequest) -> HttpResponse:
    form = OwnPasswordForm(request.user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        people.change_password(request.user, form.cleaned_data["new_password1"], by=request.user)
        update_session_auth_hash(request, request.user)
        messages.success(request, "密码已修改，下次登录请用新密码。其他电脑上的登录已经失效。")
        return redirect("home")
    return render(request, "accounts/password_change.html", {"form": form})


@require_http_methods(["GET", "POST"])
@open_to_all
def email_change(request: HttpRequest) -> HttpResponse:
    """Where one's own reminders go."""
    form = EmailForm(request.POST or None, initial={"email": request.user.email})
    if request.method == "POST" and form.is_valid():
        email = form.cleaned_data["email"]
        people.change_email(request.user, email, by=request.user)
        messages.success(request, f"已保存，待办提醒将发到 {email}。" if email else "已保存，不再发送邮件提醒。")
        return redirect("home")
    context = {"form": form, "is_sending": bool(settings.MAIL_REMINDERS)}
    return render(request, "accounts/email_change.html", context)


@require_GET
@open_to_all
def roles(request: HttpRequest) -> HttpResponse:
    rows = [
        {
            "role": role,
            "level": Unit.Level(role.level.value).label,
            "permissions": [words.PERMISSIONS[each] for each in Permission if each in role.permissions],
            "is_own": any(post.role == role.code for post in scopes.current_appointments(request.user)),
        }
        for role in ROLES.values()
    ]
    return render(request, "accounts/roles.html", {"rows": rows})


# --- accounts and appointments --------------------------------------------------------------------


@require_GET
@desk(Permission.MANAGE_ACCOUNTS)
def people_list(request: HttpRequest) -> HttpResponse:
    form = PeopleFilter(request.GET)
    table = PeopleTable(_filtered_people(request.user, form))
    tables.RequestConfig(request, paginate={"per_page": ROWS_PER_PAGE}).configure(table)
    return render(request, "accounts/people_list.html", {"table": table, "filter": form})


@require_http_methods(["GET", "POST"])
@desk(Permission.MANAGE_ACCOUNTS)
def person_create(request: HttpRequest) -> HttpResponse:
    form = AccountForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            person, password = people.open_account(**form.cleaned_data, by=request.user)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            return _show_password(request, person, password, is_new=True)
    return render(request, "accounts/person_create.html", {"form": form})


@require_GET
@desk(Permission.MANAGE_ACCOUNTS)
def person(request: HttpRequest, pk: int) -> HttpResponse:
    subject = _person(request, pk)
    posts = subject.appointments.select_related("unit__parent", "acts_for").order_by("-starts_on", "unit__path")
    today = clock.today()
    deputies = Appointment.objects.filter(acts_for=subject, ends_on__gte=today).select_related("user", "unit")
    context = {
        "deputies": deputies.order_by("starts_on", "pk"),
        "person": subject,
        "present": [post for post in posts if post.ends_on is None or post.ends_on >= today],
        "past": [post for post in posts if post.ends_on is not None and post.ends_on < today],
        "today": today,
        "roles": ROLES.values(),
        "is_self": subject == request.user,
        "can_hand_over": any(post.acts_for_id is None for post in subject.appointments.filter(_still(today))),
    }
    return render(request, "accounts/person.html", context)


@require_http_methods(["GET", "POST"])
@desk(Permission.MANAGE_ACCOUNTS)
def person_appoint(request: HttpRequest, pk: int, role: str) -> HttpResponse:
    subject = _person(request, pk)
    if role not in ROLES:
        raise Http404
    form = AppointmentForm(request.POST or None, role=role, manager=request.user)
    if request.method == "POST" and form.is_valid():
        try:
            given = appointments.appoint(subject, role, **form.cleaned_data, by=request.user)
        except ValidationError as error:
            form.add_error(None, _fitting(error, form))
        else:
            messages.success(request, f"已登记：{subject.name}从{cn_date(given.starts_on)}起担任{given.post}。")
            return redirect("person", pk)
    return render(request, "accounts/person_appoint.html", {"person": subject, "role": ROLES[role], "form": form})


@require_http_methods(["GET", "POST"])
@desk(Permission.MANAGE_ACCOUNTS)
def appointment_end(request: HttpRequest, pk: int) -> HttpResponse:
    post = fetch(
        Appointment.objects.select_related("unit", "user"), request.user, Permission.MANAGE_ACCOUNTS, unit="unit", pk=pk
    )
    form = EndForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            appointments.end(post, on=form.cleaned_data["on"], by=request.user)
        except ValidationError as error:
            form.add_error(None, _fitting(error, form))
        else:
            messages.success(request, f"{post.user.name}的{post.unit.name}{post.get_role_display()}任职已登记结束。")
            return redirect("person", post.user_id)
    return render(request, "accounts/appointment_end.html", {"post": post, "form": form})


@require_http_methods(["GET", "POST"])
@desk(Permission.MANAGE_ACCOUNTS)
def appointment_deputy(request: HttpRequest, pk: int) -> HttpResponse:
    """Let somebody act for the holder of a post."""
    rows = Appointment.objects.select_related("unit", "user").filter(acts_for=None)
    post = fetch(rows, request.user, Permission.MANAGE_ACCOUNTS, unit="unit", pk=pk)
    active = people.visible_people(request.user).filter(is_active=True)
    form = DeputyForm(request.POST or None, people=active)
    if request.method == "POST" and form.is_valid():
        try:
            given = appointments.act_for(post, **form.cleaned_data, by=request.user)
        except ValidationError as error:
            form.add_error(None, _fitting(error, form))
        else:
            messages.success(
                request,
                f"已登记：{given.user.name}从{cn_date(given.starts_on)}至{cn_date(given.ends_on)}代理{post.post}。"
                f"经办记录会写明“代{post.user.name}”。",
            )
            return redirect("person", post.user_id)
    return render(request, "accounts/appointment_deputy.html", {"post": post, "form": form})


@require_POST
@desk(Permission.MANAGE_ACCOUNTS)
def person_reset_password(request: HttpRequest, pk: int) -> HttpResponse:
    subject = _person(request, pk)
    try:
        password = people.reset_password(subject, by=request.user)
    except ValidationError as error:
        messages.error(request, error.messages[0])
        return redirect("person", pk)
    return _show_password(request, subject, password, is_new=False)


@require_POST
@desk(Permission.MANAGE_ACCOUNTS)
def person_disable(request: HttpRequest, pk: int) -> HttpResponse:
    return _switch(request, pk, people.disable, "的账号已停用，已打开的页面也随即失效。任职记录不变。")


@require_POST
@desk(Permission.MANAGE_ACCOUNTS)
def person_enable(request: HttpRequest, pk: int) -> HttpResponse:
    return _switch(request, pk, people.enable, "的账号已恢复，可以用原密码登录。")


# --- the audit trail ------------------------------------------------------------------------------


@require_GET
@desk(Permission.VIEW_AUDIT)
def audit_trail(request: HttpRequest) -> HttpResponse:
    form = AuditFilter(request.GET)
    rows = NewestFirst(_filtered_rows(_visible_rows(request.user), form))
    table = paging.configure(AuditTable(rows), request)
    shown = {last_key(row.record.unit_path) for row in table.paginated_rows}
    table.unit_names = dict(Unit.objects.filter(pk__in=shown).values_list("pk", "name"))
    last_check = AuditRow.objects.filter(action="audit.verify").first()
    context = {
        "table": table,
        "filter": form,
        "last_check": last_check,
        "check": AuditCheck.objects.filter(finished_at=None).first(),
        "most_shown": MOST_PAGED * rows.has_more,
    }
    return render(request, "accounts/audit_trail.html", context)


@require_POST
@desk(Permission.VIEW_AUDIT)
def audit_verify(request: HttpRequest) -> HttpResponse:
    check = audit_checks.ask(by=request.user)
    if check.finished_at is None:
        transaction.on_commit(tasks.nudge_audit_checks)
        messages.info(request, "操作记录较多，正在后台核验，完成后这里会更新。可以离开这一页。")
    elif check.broken_at is None:
        messages.success(request, f"核验通过：{check.reached} 行操作记录前后相连，没有改动、缺失或插入。")
    else:
        messages.error(request, f"核验不通过：{check.reason}请保留现场，立即报告县资助中心负责人。")
    return redirect("audit")


@require_safe
@desk(Permission.VIEW_AUDIT)
def audit_check(request: HttpRequest, pk: int) -> HttpResponse:
    """The line that tells how far a check has come; asked for again every two seconds."""
    check = get_object_or_404(AuditCheck, pk=pk)
    response = render(request, "accounts/_audit_check.html", {"check": check})
    if check.finished_at is not None:
        response["HX-Refresh"] = "true"  # what was found stands on the page
    return response


# --- small parts ----------------------------------------------------------------------------------


def _way_on(request: HttpRequest) -> str:
    wanted = request.POST.get("next") or request.GET.get("next", "")
    safe = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if wanted and safe else resolve_url("home")


def _person(request: HttpRequest, pk: int) -> User:
    return get_object_or_404(people.visible_people(request.user), pk=pk)


def _still(today: dt.date) -> Q:
    """Posts that are held today or will be."""
    return Q(ends_on__isnull=True) | Q(ends_on__gte=today)


def _show_password(request: HttpRequest, person: User, password: str, *, is_new: bool) -> HttpResponse:
    # The one answer to a POST that is a page: a redirect would have to keep the password somewhere meanwhile.
    return render(request, "accounts/person_password.html", {"person": person, "password": password, "is_new": is_new})


def _switch(request: HttpRequest, pk: int, verb, sentence: str) -> HttpResponse:
    subject = _person(request, pk)
    try:
        verb(subject, by=request.user)
    except ValidationError as error:
        messages.error(request, error.messages[0])
    else:
        messages.success(request, f"{subject.name}{sentence}")
    return redirect("person", pk)


def _fitting(error: ValidationError, form) -> ValidationError | str:
    """The error as the form can show it: beside a field it has, else above the form."""
    fields = set(getattr(error, "error_dict", {}))
    return error if fields <= set(form.fields) and fields else ValidationError(error.messages)


def _filtered_people(manager: User, form: PeopleFilter) -> QuerySet[User]:
    found = people.visible_people(manager)
    wanted = form.cleaned_data if form.is_valid() else {}
    now = Appointment.objects.filter(appointments.in_force(clock.today()))
    if text := wanted.get("q"):
        posts = now.filter(Q(unit__name__icontains=text) | Q(unit__parent__name__icontains=text))
        found = found.filter(Q(name__icontains=text) | Q(username__icontains=text) | Q(pk__in=posts.values("user")))
    if role := wanted.get("role"):
        found = found.filter(pk__in=now.filter(role=role).values("user"))
    if state := wanted.get("state"):
        idle = ~Q(pk__in=now.values("user"))
        found = found.filter({"active": Q(is_active=True), "disabled": Q(is_active=False), "idle": idle}[state])
    return found.prefetch_related(Prefetch("appointments", now.select_related("unit"), to_attr="posts"))


def _visible_rows(viewer: User) -> QuerySet[AuditRow]:
    """Rows of the viewer's units, and those that belong to none (sign-ins, accounts)."""
    condition = Q(unit_path="")
    for path in scopes.reach(viewer, Permission.VIEW_AUDIT):
        condition |= Q(unit_path__below=path)
    return AuditRow.objects.filter(condition)


def _filtered_rows(rows: QuerySet[AuditRow], form: AuditFilter) -> QuerySet[AuditRow]:
    if not form.is_valid():
        return rows.none()
    wanted = form.cleaned_data
    if wanted["action"]:
        rows = rows.filter(action=wanted["action"])
    if wanted["person"]:
        rows = rows.filter(username__in=_usernames(wanted["person"]))
    if wanted["since"]:
        rows = rows.filter(at__gte=_midnight(wanted["since"]))
    if wanted["until"]:
        rows = rows.filter(at__lt=_midnight(wanted["until"] + dt.timedelta(days=1)))
    if (wanted["since"] or wanted["until"]) and not (wanted["action"] or wanted["person"]):
        # The same order, but asked as the index of times has it: the trail of those days need not be sorted.
        rows = rows.order_by("-at", "-number")
    return rows


def _usernames(text: str) -> list[str]:
    """Accounts of the people meant; "" is the system itself. The trail is too long to be read for a name."""
    people_meant = User.objects.filter(Q(name__icontains=text) | Q(username__icontains=text))
    return [*people_meant.values_list("username", flat=True)[:_MOST_PEOPLE], *([""] if text in "系统" else [])]


def _midnight(day: dt.date) -> dt.datetime:
    return timezone.make_aware(dt.datetime.combine(day, dt.time.min))
