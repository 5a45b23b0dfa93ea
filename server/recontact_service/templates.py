"""The global allocation templates that there are; values only, so that documents can be made from them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Template:
    """How a template allocates the open exchange: suppliers are (id, name), shares are in percent."""

    template_id: str
    name: str
    suppliers: tuple[tuple[int, str], ...]
    blocked: tuple[tuple[int, str], ...]
    minimum: int = 0
    maximum: int = 100


# assumed: what the templates hold; only the id of the first is documented, in the guide "How to recontact respondents"
RECONTACT = Template(
    "01JH0PEGPC4Z8RDD304E2SF0EW",
    "Recontact",
    suppliers=((420, "Example panel"), (421, "Second example panel")),
    blocked=(),
)
EVERYONE = Template(
    "01JH0PEGPC4Z8RDD304E2SF0EX",
    "General population",
    suppliers=((420, "Example panel"), (421, "Second example panel"), (13512, "Third example panel")),
    blocked=((980, "Test supplier"),),
)
TEMPLATES = {template.template_id: template for template in (RECONTACT, EVERYONE)}
