"""Rows that are evidence are written once; the database refuses to change them."""

from django.db import migrations

from accounts.append_only import written_once


class Migration(migrations.Migration):
    dependencies = [("students", "0001_initial")]

    operations = [written_once("students_idcorrection", "students_statuschange")]
