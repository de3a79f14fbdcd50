"""The questions about columns: what is asked, what may be chosen, what the answers mean."""

from typing import Any

from students.forms import HeaderForm


def column(token: str, letter: str, key: str = "", *samples: str) -> dict[str, Any]:
    return {"token": token, "letter": letter, "header": token, "key": key, "samples": list(samples)}


def sheet(name: str, *columns: dict[str, Any]) -> dict[str, Any]:
    return {"sheet": name, "token": f"sheet:{name}", "header_row": 3, "columns": list(columns)}


def question(*sheets: dict[str, Any], missing: tuple[str, ...] = (), doubtful: tuple = ()) -> dict[str, Any]:
    return {"sentence": "请指明。", "sheets": list(sheets), "missing": list(missing), "doubtful": list(doubtful)}


def as_it_is(asked: dict[str, Any]) -> dict[str, str]:
    """What the page sends when nobody touches the other columns."""
    return {field.html_name: field.value() for field, _ in HeaderForm(question=asked).others}


NAME = column("姓名", "A", "name", "陈*一")
CODE = column("证号", "B", "", "5353**********1234")
ROOM = column("所在班", "C", "", "1班", "2班")


def test_what_is_missing_is_asked_among_the_unknown_columns() -> None:
    form = HeaderForm(question=question(sheet("表一", NAME, CODE, ROOM), missing=("身份证件号", "班级")))
    asked = {field.label: [choice.data["value"] for choice, _ in choices] for field, choices in form.questions}
    assert asked == {"身份证件号": ["证号", "所在班"], "班级": ["证号", "所在班"]}
    taken_for = [field.value() for field, _ in form.others]
    assert taken_for == ["name", "", ""]


def test_answers_are_keys_by_token() -> None:
    asked = question(sheet("表一", NAME, CODE, ROOM), missing=("身份证件号", "班级"))
    form = HeaderForm({**as_it_is(asked), "column-0": "证号", "column-1": "所在班"}, question=asked)
    assert form.is_valid(), form.errors
    assert form.answers() == {"证号": "id_number", "所在班": "class"}


def test_one_column_cannot_be_two_things() -> None:
    asked = question(sheet("表一", NAME, CODE, ROOM), missing=("身份证件号", "班级"))
    form = HeaderForm({**as_it_is(asked), "column-0": "证号", "column-1": "证号"}, question=asked)
    assert not form.is_valid()
    assert "“证号”这一列同时被选作“班级”和“身份证件号”" in form.errors.as_text()


def test_every_question_wants_an_answer() -> None:
    asked = question(sheet("表一", NAME, CODE), missing=("身份证件号",))
    form = HeaderForm(as_it_is(asked), question=asked)
    assert "补上后重新上传" in form.errors.as_text()


def test_of_columns_that_look_alike_one_is_taken_and_the_others_are_left_aside() -> None:
    mine, theirs = column("学生证件号", "B"), column("家长证件号", "D")
    asked = question(sheet("表一", NAME, mine, theirs, ROOM), doubtful=(["身份证件号", ["学生证件号", "家长证件号"]],))
    form = HeaderForm({**as_it_is(asked), "column-0": "学生证件号"}, question=asked)
    assert form.is_valid(), form.errors
    assert form.answers() == {"学生证件号": "id_number", "家长证件号": ""}
    assert [column["token"] for _, column in form.others] == ["姓名", "所在班"]


def test_an_unknown_column_may_be_given_a_meaning_too() -> None:
    asked = question(sheet("表一", NAME, CODE, ROOM), missing=("身份证件号",))
    form = HeaderForm({**as_it_is(asked), "column-0": "证号", "other-2": "class"}, question=asked)
    assert form.is_valid(), form.errors
    assert form.answers() == {"证号": "id_number", "所在班": "class"}


def test_sheets_with_the_same_headers_are_asked_about_once() -> None:
    asked = question(sheet("一班", NAME, CODE), sheet("二班", NAME, CODE), missing=("身份证件号",))
    assert len(HeaderForm(question=asked).questions) == 1


def test_sheets_with_other_headers_are_asked_about_separately() -> None:
    other = column("身份号", "B")
    asked = question(sheet("一班", NAME, CODE), sheet("二班", NAME, other), missing=("身份证件号",))
    form = HeaderForm({**as_it_is(asked), "column-0": "证号", "column-1": "身份号"}, question=asked)
    assert form.is_valid(), form.errors
    assert form.answers() == {"证号": "id_number", "身份号": "id_number"}


def test_a_sheet_that_has_the_column_is_not_asked_about() -> None:
    known = column("班级", "C", "class")
    asked = question(sheet("一班", NAME, known, CODE), sheet("二班", NAME, ROOM), missing=("班级",))
    ((_, choices),) = HeaderForm(question=asked).questions
    assert [choice.data["value"] for choice, _ in choices] == ["所在班"]


def test_a_column_understood_wrongly_is_put_right() -> None:
    room = column("班级", "C", "class")
    asked = question(sheet("表一", NAME, room))
    form = HeaderForm({**as_it_is(asked), "other-1": ""}, question=asked)
    assert form.is_valid(), form.errors
    assert form.answers() == {"班级": ""}


def test_a_sheet_that_is_no_roster_is_left_aside_without_an_answer() -> None:
    teachers = sheet("教师", NAME, column("职务", "B"))
    asked = question(sheet("学生", NAME, CODE), teachers, missing=("身份证件号",))
    given = {**as_it_is(asked), "column-0": "证号", "aside-1": "on"}
    form = HeaderForm(given, question=asked)
    assert form.is_valid(), form.errors
    assert form.answers() == {"证号": "id_number", "sheet:教师": ""}
    assert not HeaderForm({**given, "aside-1": ""}, question=asked).is_valid()
