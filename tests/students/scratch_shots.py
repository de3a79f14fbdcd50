import pytest, datetime as dt
from django.urls import reverse
from students import rosters, circumstances
from students.models import Pupil, Category, RosterImport
from tests import cast as casting
from tests.students.workbooks import pupil, upload, workbook

@pytest.mark.django_db(transaction=True)
def test_shots(transactional_db, live_server, page, settings, cast):
    settings.DEMO = False
    rows = [pupil(n, 姓名=["陈小明","䶮𬎆","阿依古丽•买买提","王子涵"][n%4], 班级=f"{n%3+1}班", 就读方式="寄宿" if n%2 else "走读") for n in range(1, 70)]
    rosters.apply_roster(rosters.check_roster(upload(workbook(*rows)), school=cast.school_a, term=cast.term, by=cast.officer_a), by=cast.officer_a)
    child = Pupil.objects.filter(enrolments__school_class=cast.class_a1).order_by("id_masked")[0]
    circumstances.add(child, category=Category.objects.get(code="dibao_rural"), source="collected", evidence="农村低保证 2026-0123", valid_from=dt.date(2026,9,1), by=cast.officer_a)
    faults = [pupil(100, 班级=None), pupil(101, 姓名="=1+1"), pupil(102, 身份证件号="5.39900201403E+17"), pupil(103), pupil(103), pupil(104, 银行账号="6299000000000000052"), pupil(105, 就读方式="其他", 联系电话="123")] + [pupil(n) for n in range(200, 230)]
    ri = rosters.check_roster(upload(workbook(*faults)), school=cast.school_a, term=cast.term, by=cast.officer_a)
    page.goto(live_server.url + reverse("login"))
    page.fill("[name=username]", "officer_a"); page.fill("[name=password]", casting.PASSWORD); page.click("button[type=submit]")
    urls = {"list": reverse("pupils"), "pupil": reverse("pupil", args=[child.pk]), "reveal": reverse("pupil_reveal", args=[child.pk]), "account": reverse("account_change", args=[child.pk]), "circ": reverse("circumstance_add", args=[child.pk]), "new": reverse("roster_import_new"), "import": reverse("roster_import", args=[ri.pk]), "imports": reverse("roster_imports"), "boarding": reverse("boarding_change", args=[child.pk])}
    from axe_playwright_python.sync_playwright import Axe
    for w in (1440, 390):
        page.set_viewport_size({"width": w, "height": 900})
        for name, url in urls.items():
            page.goto(live_server.url + url)
            page.screenshot(path=f"/tmp/team/students/{name}-{w}.png", full_page=(w==1440))
            over = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
            if over: print("OVERFLOW", name, w)
            if w == 1440:
                res = Axe().run(page)
                for v in res.response["violations"]:
                    print("AXE", name, v["id"], [n["html"][:100] for n in v["nodes"]][:3])
    page.goto(live_server.url + urls["reveal"])
    page.check("input[name=field][value=id]"); page.check("input[name=purpose][value=check_papers]"); page.fill("[name=note]", "家长到校核对"); page.click("main button[type=submit]")
    page.screenshot(path="/tmp/team/students/number-1440.png")
    print("COMPLAINTS", page.complaints)
