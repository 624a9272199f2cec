"""From what a person does to edits of the account, and what goes wrong back to the person."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Any

from traitlets import TraitError

from margin_widgets.venues import RuleError
from margin_widgets.widgets.together import together

log = logging.getLogger("margin_widgets")

REFUSALS = (TraitError, ValueError, KeyError)
"""What a bad edit raises: shown where it was made, the account stays as it was."""


def reason(error: BaseException) -> str:
    """Words of an error, as those read them who made it without code."""
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    cause = error.__cause__ if isinstance(error, TraitError) else error
    return text.replace(str(cause), cause.words) if isinstance(cause, RuleError) else text


def strict() -> bool:
    """Whether unexpected errors in callbacks are raised after they were shown (under tests)."""
    return bool(os.environ.get("MARGIN_WIDGETS_STRICT"))


def guarded(
    handler: Callable[[Any], None], tell: Callable[[str], None]
) -> Callable[[Any, Any, Any], None]:
    """Wrap a handler of browser messages: what it changes is sent at once, and no error vanishes.

    A refusal is told in its words. Anything else is a mistake of ours: told, logged with its
    traceback, and raised under tests.
    """

    def handle(content: Any) -> None:
        try:
            handler(content)
        except REFUSALS as error:
            tell(reason(error))
        except Exception as error:
            log.exception("a widget callback failed")
            tell(f"This went wrong and is logged: {type(error).__name__}: {error}")
            if strict():
                raise

    def receive(widget: Any, content: Any, _buffers: Any) -> None:
        with together(widget):
            handle(content)

    return receive
