"""A county, a school, somebody who works there, and files to send in."""

import datetime as dt
import io
from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from openpyxl import Workbook
from PIL import Image

from accounts.models import Unit, User
from documents import issuing, sheets, uploads
from documents.models import IssuedDocument, Upload
from tests import pdfs


@pytest.fixture(autouse=True)
def own_files(settings, tmp_path):
    """A file store of one's own, to see that it stays empty."""
    settings.FILE_DIR = tmp_path / "files"
    return settings.FILE_DIR


@pytest.fixture
def school(db):
    county = Unit.objects.create(level="county", name="云岭县")
    return Unit.objects.create(level="school", name="城关中学", parent=county)


@pytest.fixture
def officer(db):
    return User.objects.create_user("zhuangan", name="林专干")


@pytest.fixture
def pdf_file():
    """A paper of one page."""
    return pdfs.paper()


@pytest.fixture
def upload(school, officer, pdf_file):
    file = SimpleUploadedFile("证明.pdf", pdf_file)
    return uploads.store(file, kind=Upload.Kind.EVIDENCE, unit=school, by=officer)


@pytest.fixture
def make_book():
    def make(*rows, title="名册"):
        book = Workbook()
        book.active.title = title
        for row in rows:
            book.active.append(row)
        out = io.BytesIO()
        book.save(out)
        return out.getvalue()

    return make


@pytest.fixture
def make_picture():
    def make(form="JPEG", size=(40, 20), **options):
        out = io.BytesIO()
        Image.new("RGB", size, "white").save(out, form, **options)
        return out.getvalue()

    return make


@pytest.fixture
def make_plan():
    """A sheet plan of so many pupils; the document is not saved."""

    def make(count=3, *, names=("王小明",), document=None, **changes):
        rows = tuple(
            sheets.SheetRow(
                position=number,
                school_class="七年级（1）班",
                name=names[(number - 1) % len(names)],
                roll_last4=f"{number:04}",
                boarding="寄宿",
                standard="312.50",
                amount=Decimal("312.50"),
                holder="王大力",
                relation="父亲",
                bank="云岭县农村信用社",
                account=f"6217****{number:04}",
            )
            for number in range(1, count + 1)
        )
        values = {
            "number": "发放〔2026〕12号",
            "document": document or IssuedDocument(code="23456789ABCDEFGH", number="发放〔2026〕12号"),
            "title": "义务教育家庭经济困难学生生活补助发放花名册",
            "school": "云岭县城关中学",
            "term": "2026年春季学期",
            "programme": "义务教育家庭经济困难学生生活补助",
            "standards": ("财教〔2024〕181号",),
            "batch_number": "2026春-03",
            "made_on": dt.date(2026, 3, 5),
            "prepared_by": "陈经办",
            "rows": rows,
            "total": Decimal("312.50") * count,
        }
        return sheets.SheetPlan(**{**values, **changes})

    return make


FACTS = [["学校", "城关中学"], ["人数", "3 人"], ["合计", "937.50 元"]]


@pytest.fixture
def reserved(school):
    return issuing.reserve(IssuedDocument.Kind.PAYOUT_SHEET, unit=school)


@pytest.fixture
def issued(reserved, officer, make_plan):
    """A payout sheet of three pupils, signed and issued with its workbook."""
    plan = make_plan(number=reserved.number, document=reserved)
    pdf, xlsx = sheets.signing_copy_pdf(plan), sheets.signing_copy_xlsx(plan)
    issuing.fulfil(reserved, pdf=pdf, xlsx=xlsx, facts=FACTS, by=officer)
    return reserved
