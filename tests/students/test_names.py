"""Names: rare characters and middle dots are somebody's name; formulas, digits and controls are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from students import numbers

han = st.one_of(
    st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF),
    st.characters(min_codepoint=0x3400, max_codepoint=0x4DBF),
    st.characters(min_codepoint=0x20000, max_codepoint=0x323AF),
)


@pytest.mark.parametrize(
    "name",
    ["张伟", "欧阳娜娜", "䶮𬎆", "王𠅤", "阿卜杜热依木·麦麦提", "𰻝", "\u9fef安", "Anne-Marie O'Neil", "刘\ufa0e"],
)
def test_name_is_kept_as_it_is_written(name: str) -> None:
    value, findings = numbers.read_name(name)
    assert value == name
    assert "error" not in {finding.level for finding in findings}


@given(st.text(han, min_size=2, max_size=20))
def test_name_of_any_chinese_characters_is_kept_unchanged(name: str) -> None:
    assert numbers.read_name(f"\u3000{name} ") == (name, [])


@pytest.mark.parametrize("dot", ["・", "•", "‧", "．", ".", "·", " · ", "\u3000•\u3000"])
def test_name_dots_between_chinese_characters_become_one(dot: str) -> None:
    assert numbers.read_name(f"阿依古丽{dot}买买提")[0] == "阿依古丽·买买提"


@pytest.mark.parametrize(("text", "name"), [("张 三", "张三"), ("张\u3000三", "张三"), ("John  Smith", "John Smith")])
def test_name_blanks_inside_are_tidied(text: str, name: str) -> None:
    assert numbers.read_name(text)[0] == name


def test_name_compatibility_characters_are_not_folded() -> None:
    # U+F9B5 looks like 例 (U+4F8B); NFKC would turn one person's character into another.
    assert numbers.read_name("王\uf9b5")[0] == "王\uf9b5"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "空的"),
        ("   ", "空的"),
        ("=1+1", "公式"),
        ("＝HYPERLINK", "公式"),
        ("+张三", "公式"),
        ("-张三", "公式"),
        ("@张三", "公式"),
        ("张三2", "数字"),
        ("张３", "数字"),
        ("张\u202e三", "控制字符"),
        ("张三\n李四", "控制字符"),
        ("张\x00三", "控制字符"),
        ("张?", "生僻字"),
        ("张\ufffd", "生僻字"),
        ("张□", "生僻字"),
        ("<b>张三</b>", "不能用的符号"),
        ("张三😀", "不能用的符号"),
        ("张" * 61, "超过 60 个字"),
    ],
)
def test_name_refusals_say_what_is_wrong(text: str, sentence: str) -> None:
    value, findings = numbers.read_name(text)
    assert value == ""
    assert sentence in findings[0].message


def test_name_with_private_use_character_is_kept_with_a_warning() -> None:
    value, findings = numbers.read_name("张\ue863")
    assert value == "张\ue863"
    assert findings[0].level == "warning"


def test_name_of_one_character_is_a_warning() -> None:
    assert [finding.level for finding in numbers.read_name("张")[1]] == ["warning"]


@pytest.mark.parametrize(
    ("text", "name"), [("张\u200b三", "张三"), ("张\n三", "张三"), ("欧阳\r\n娜", "欧阳娜"), ("\ufeff张三", "张三")]
)
def test_what_cannot_be_seen_is_no_part_of_a_name(text: str, name: str) -> None:
    assert numbers.read_name(text) == (name, [])


@pytest.mark.parametrize(
    "written",
    [
        "阿依古丽•买买提",
        "阿依古丽・买买提",
        "阿依古丽．买买提",
        "阿依古丽 · 买买提",
        "阿依古丽买买提",
        "阿依古丽\u200b·买买提（家长）",
    ],
)
def test_spellings_of_one_name_have_one_key(written: str) -> None:
    assert numbers.name_key(written) == numbers.name_key("阿依古丽·买买提")


@pytest.mark.parametrize(
    ("one", "other"), [("王\uf9b5", "王例"), ("张伟", "张玮"), ("王芳", "王芳芳"), ("成员1", "成员2")]
)
def test_names_that_differ_in_a_character_keep_apart(one: str, other: str) -> None:
    assert numbers.name_key(one) != numbers.name_key(other)


def test_a_key_folds_latin_letters_and_is_empty_without_any() -> None:
    assert numbers.name_key("ｊｏｈｎ Smith") == numbers.name_key("John Smith")
    assert numbers.name_key("（）·") == ""
