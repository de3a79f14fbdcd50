"""Rows that are evidence are written once; the database refuses to change them."""

from django.db import migrations

from accounts.append_only import written_once


class Migration(migrations.Migration):
    dependencies = [("subsidies", "0001_initial")]

    operations = [
        written_once(
            "subsidies_changeeffect",
            "subsidies_receipt",
            "subsidies_reckoning",
            "subsidies_recognition",
            "subsidies_steptaken",
            "subsidies_dutyholder",
            "subsidies_kinship",
            "subsidies_decision",
            "subsidies_declaration",
            "subsidies_signedform",
            "subsidies_meeting",
            "subsidies_meetingmember",
            "subsidies_minutespaper",
            "subsidies_officercheck",
            "subsidies_signedminutes",
            "subsidies_paymentbatch",
            "subsidies_paymentline",
            "subsidies_settlement",
            "subsidies_quotaversion",
            "subsidies_sheetsplit",
            "subsidies_lineshare",
            "subsidies_packrow",
            # The duty of a draft nobody ever submitted goes with the draft (a roll-over that is undone).
            deletable={
                "subsidies_dutyholder": "COALESCE((SELECT state FROM subsidies_application"
                " WHERE id = OLD.application_id), '') = 'draft'"
            },
        ),
    ]
