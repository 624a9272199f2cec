"""The quick check of a document against jsonschema, and what is saved by it."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

import margin_widgets as mw
from margin_widgets.account.conformity import conforms
from margin_widgets.account.document import schema

FULL = Draft202012Validator({key: part for key, part in schema().items() if key != "$id"})
NAMES = ("ref2", "hedged_pair", "bitcoin_on_bitcoin", "multi_asset", "inverse")
DOCUMENTS = [getattr(mw.presets, name)().to_dict() for name in NAMES]
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, 0.0, -0.0, 1, 2, 2.0, -1, 1e300, float("inf"), "", " ", "cross", [], {}]),
    st.floats(allow_nan=False),
    st.text(max_size=3),
    st.lists(st.floats(-1, 2), max_size=4),
)


def places(value: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Ways to all parts of a document."""
    found = [way]
    if isinstance(value, dict | list):
        inside = value.items() if isinstance(value, dict) else enumerate(value)
        for key, part in inside:
            found += places(part, (*way, key))
    return found


@given(st.data())
def test_agrees_with_jsonschema(data: st.DataObject) -> None:
    document = copy.deepcopy(data.draw(st.sampled_from(DOCUMENTS)))
    for _ in range(data.draw(st.integers(0, 2))):
        *way, last = data.draw(st.sampled_from([one for one in places(document) if one]))
        part: Any = document
        for step in way:
            part = part[step]
        if data.draw(st.booleans()):
            part[last] = data.draw(ODD)
        elif isinstance(part, dict) and data.draw(st.booleans()):
            del part[last]
        elif isinstance(part, dict):
            part[data.draw(st.text(max_size=4))] = data.draw(ODD)
    quick, full = conforms(document, schema(), schema()), FULL.is_valid(document)
    assert quick == full


def test_what_is_not_known_is_not_passed() -> None:
    assert not conforms(3, {"multipleOf": 3}, {})
    assert not conforms(3, {"not": {"multipleOf": 2}}, {})
    assert not conforms(3, {"$ref": "elsewhere"}, {})


def test_a_sound_document_is_read_without_jsonschema() -> None:
    text = json.dumps(DOCUMENTS[0])
    code = (
        "import sys; from margin_widgets.account.document import loads\n"
        f"loads({text!r}); print('jsonschema' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
