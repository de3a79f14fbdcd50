"""What pages and papers show of a meeting's decisions."""

from django import template

from ..models import Decision

register = template.Library()


@register.filter
def figure(decision: Decision, name: str) -> str:
    """Votes, points or a rank of the decision; a dash where nothing was written down."""
    value = getattr(decision, name)
    return "—" if value is None else f"{value.normalize():f}" if name == "score" else str(value)


@register.simple_tag
def figures_of(decision: Decision) -> str:
    """同意 9 票，反对 1 票，第 2 位; "" where nothing was written down."""
    said = []
    if decision.votes_for is not None or decision.votes_against is not None:
        said.append(f"同意 {figure(decision, 'votes_for')} 票，反对 {figure(decision, 'votes_against')} 票")
    if decision.score is not None:
        said.append(f"得 {figure(decision, 'score')} 分")
    if decision.rank is not None:
        said.append(f"第 {decision.rank} 位")
    return "，".join(said)
