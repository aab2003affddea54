"""What a person typed for a model or a version."""

from modelyard.errors import InvalidArgumentError
from modelyard.references import Reference, Selector


def parse(text: str) -> Reference:
    """``team/fraud`` or ``team/fraud@…``; raises ``InvalidArgumentError``."""
    try:
        return Reference.parse(text)
    except ValueError as error:
        raise InvalidArgumentError([("reference", str(error))]) from None


def is_model(reference: Reference) -> bool:
    """Whether it names a model as a whole."""
    return reference.selector is Selector.DEFAULT
