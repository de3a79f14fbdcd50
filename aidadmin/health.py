"""Is it alive, is it ready: for the launcher, a monitor, and whoever is on the telephone.

Open to everybody, so the answers name the part that fails and never a value, a path or a person.
"""

import logging
import shutil
from collections.abc import Callable

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import connection, transaction
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.audit import digest_of
from accounts.models import AuditHead, AuditRow
from documents import vault

from .celery import app as celery_app

log = logging.getLogger(__name__)

# Below this a term's sheets and scans may not fit any more; SQLite and the queue need room for themselves too.
FREE_DISK_BYTES = 500 * 1024 * 1024


class NotReady(Exception):
    """One part cannot do its work; the message may be shown to anybody."""


@require_safe
@login_not_required
@never_cache
def live(request: HttpRequest) -> JsonResponse:
    """The web process answers. Touches nothing else."""
    return JsonResponse({"status": "ok"})


@require_safe
@login_not_required
@never_cache
def ready(request: HttpRequest) -> JsonResponse:
    """Every part does its work (200), or the first words on what does not (503)."""
    parts = {name: _try(check) for name, check in CHECKS.items()}
    good = all(answer == "ok" for answer in parts.values())
    return JsonResponse(
        {"status": "ok" if good else "fail", "parts": parts},
        status=200 if good else 503,
        json_dumps_params={"ensure_ascii": False},
    )


def _try(check: Callable[[], None]) -> str:
    try:
        check()
    except NotReady as problem:
        return str(problem)
    except Exception:
        log.exception("Readiness: %s failed.", check.__name__)
        return "出错，详情见系统日志"
    return "ok"


def check_database() -> None:
    """A write goes through (and is taken back): a full or read-only disk shows here."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE django_migrations SET app = app WHERE id = (SELECT MIN(id) FROM django_migrations)")
        transaction.set_rollback(True)


def check_queue() -> None:
    with celery_app.connection_for_write(connect_timeout=2) as queue:
        queue.ensure_connection(max_retries=1, interval_start=0, timeout=3)
        queue.default_channel.close()


def check_disk() -> None:
    if shutil.disk_usage(settings.DATA_DIR).free < FREE_DISK_BYTES:
        raise NotReady("磁盘剩余空间不足 500 MB")


def check_audit_head() -> None:
    """The last audit row is the one the head names. The whole chain is a command's work, not a request's."""
    with transaction.atomic():  # head and row of one moment
        head = AuditHead.objects.filter(pk=1).first()
        last = list(AuditRow.objects.order_by("-number")[:2])
    if head is None and not last:
        return
    before = last[1].digest if len(last) > 1 else "0" * 64
    if head is None or not last or (head.number, head.digest) != (last[0].number, last[0].digest):
        raise NotReady("审计记录的链尾对不上")
    if digest_of(last[0], before) != last[0].digest:
        raise NotReady("最后一条审计记录的校验值不符")


def check_keys() -> None:
    """What is sealed can be read again, and the blind index can be made."""
    sealed = vault.seal("ready", place="health.probe", key="0")
    if vault.unseal(sealed, place="health.probe", key="0") != "ready" or not vault.blind_index("0", purpose="health"):
        raise NotReady("密钥不可用")


CHECKS: dict[str, Callable[[], None]] = {
    "database": check_database,
    "queue": check_queue,
    "disk": check_disk,
    "audit": check_audit_head,
    "keys": check_keys,
}
