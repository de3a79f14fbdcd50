"""A hand-over and the signed paper of it are written once; the database refuses to change them."""

from django.db import migrations

from accounts.append_only import written_once


class Migration(migrations.Migration):
    dependencies = [("archives", "0001_initial")]

    operations = [written_once("archives_handover", "archives_signedhandover")]
