"""Issued files of single cases."""

from django.db import models

from documents.models import IssuedDocument
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
