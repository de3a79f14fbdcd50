"""What a pupil's page shows of aid: every programme with its amount, or why there is none."""

from typing import Any

from django import template

from students.models import Enrolment

from .. import explanations, recognitions

register = template.Library()


@register.inclusion_tag("subsidies/_pupil_aid.html", takes_context=True)
def pupil_aid(context: dict[str, Any], place: Enrolment) -> dict[str, Any]:
    """The section "能享受什么、为什么". Whoever may open the page sees the hardship it rests on; the page has asked."""
    return {
        "place": place,
        "recognition": recognitions.of_pupils([place.pupil_id], recognitions.school_year(place.term)).get(
            place.pupil_id
        ),
        "answers": explanations.answers(place, reader=context["request"].user),
        "may_edit": context["may_edit"],
        "may_change": context["may_change"],
        "may_correct_class": context["may_correct_class"],
    }
