"""What a registry sends is not believed: what can't be converted is an error of the registry, by name."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from modelyard.errors import BadAnswerError, ModelyardError

_P = ParamSpec("_P")
_T = TypeVar("_T")

_SHOWN = 300


def checked(convert: Callable[_P, _T]) -> Callable[_P, _T]:
    """The same conversion. It raises ``BadAnswerError`` for values that no registry may send."""

    @wraps(convert)
    def convert_checked(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return convert(*args, **kwargs)
        except ModelyardError:
            raise
        except (ValueError, ArithmeticError, TypeError, LookupError) as error:
            what = convert.__name__.replace("_", " ")
            raise BadAnswerError(
                f"the registry sent a {what} that can't be right: {str(error)[:_SHOWN]}", reason="BAD_ANSWER"
            ) from None

    return convert_checked
