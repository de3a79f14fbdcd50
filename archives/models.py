"""Issued files of single cases, and of posts that were handed over."""

import uuid

from django.db import models
from django.db.models import F, Q

from accounts.models import AppendOnlyQuerySet, Unit, User
from documents.models import IssuedDocument, SignedCopy
from subsidies.models import Application


class Dossier(models.Model):
    """学生资助档案 of one application as it stood; a case that moved on gets a new one in its place."""

    application = models.ForeignKey(Application, models.PROTECT, related_name="dossiers")
    document = models.OneToOneField(IssuedDocument, models.PROTECT, related_name="+")
    digest = models.CharField(max_length=64)  # of what the file says, to know when it is out of date

    class Meta:
        # A case can come back to what it was (a remark changed and changed back): then it is a new file again.
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.application} {self.document}"


class HandOver(models.Model):
    """工作交接: what an officer who leaves hands to the successor, as it stood that day, for both to sign.

    `posts` names the appointments that moved, in words; rights, open work and pending returns stand on the paper.
    Written once; what both signed follows as `SignedHandOver`.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    leaver = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name="移交人")
    successor = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name="接收人")
    unit = models.ForeignKey(Unit, models.PROTECT, related_name="+", verbose_name="单位")
    starts_on = models.DateField("接收人任职开始")
    posts = models.JSONField("交接的任职", default=list)
    document = models.OneToOneField(IssuedDocument, models.PROTECT, related_name="+", verbose_name="交接单")
    made_at = models.DateTimeField("办理时间")
    made_by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name="办理人")

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        ordering = ["-made_at"]
        constraints = [
            models.CheckConstraint(condition=~Q(leaver=F("successor")), name="hand_over_between_two_people"),
        ]

    def __str__(self) -> str:
        return f"{self.leaver} → {self.successor}"


class SignedHandOver(SignedCopy):
    """The paper as both have signed it."""

    hand_over = models.ForeignKey(HandOver, models.PROTECT, related_name="signed_copies")

    class Meta:
        ordering = ["hand_over", "-pk"]  # the newest, which counts, first

    def __str__(self) -> str:
        return f"{self.hand_over} {self.scan}"
