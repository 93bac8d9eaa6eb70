"""Sentences remember how they were made; everything that is said to people has a translation."""

import ast
import copy
import json
import pickle
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from string import Formatter

import pytest
from babel.messages.pofile import read_po

import enhance.errors
from enhance.engines.base import failure
from enhance.errors import EnhanceError, NotSaved, PhotoTooLarge
from enhance.i18n import Sentence, joined, say
from enhance.options import Options
from enhance.web.language import CATALOGUE, CHINESE

ROOT = Path(__file__).parents[1]
SOURCES = [*sorted((ROOT / "enhance").rglob("*.py")), ROOT / "app.py"]
KINDS = {
    name
    for name, kind in vars(enhance.errors).items()
    if isinstance(kind, type) and issubclass(kind, EnhanceError)
}


def nodes() -> Iterator[tuple[str, ast.AST]]:
    """Every node of the product's source, with where it stands."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            yield f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}", node


def calls(*names: str) -> Iterator[tuple[str, ast.Call]]:
    for place, node in nodes():
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in names:
            yield place, node


def literal(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def fields(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name is not None}


def nested() -> Sentence:
    reason = say("status {status}", status=503)
    return say("“{name}” could not be enhanced. {reason}", name="a.jpg", reason=reason)


def test_a_sentence_is_its_english_text() -> None:
    sentence = say("{done} of {total}, about {seconds:.1f} s", done=1, total=3, seconds=2.04)
    assert sentence == "1 of 3, about 2.0 s"
    assert sentence.template == "{done} of {total}, about {seconds:.1f} s"
    assert sentence.values == {"done": 1, "total": 3, "seconds": 2.04}


@pytest.mark.parametrize(
    "travel",
    [
        lambda sentence: pickle.loads(pickle.dumps(sentence)),
        copy.copy,
        copy.deepcopy,
        lambda sentence: asdict(failure(0, "a.jpg", EnhanceError(sentence)))["reason"],
    ],
)
def test_a_sentence_survives_travel(travel) -> None:  # type: ignore[no-untyped-def]
    arrived = travel(nested())
    assert arrived == "“a.jpg” could not be enhanced. status 503"
    assert isinstance(arrived, Sentence)
    assert arrived.template == nested().template
    inner = arrived.values["reason"]
    assert isinstance(inner, Sentence)
    assert inner.template == "status {status}"


def test_in_json_a_sentence_is_plain_text() -> None:
    assert json.loads(json.dumps([nested()])) == ["“a.jpg” could not be enhanced. status 503"]


def test_joined_sentences_stay_sentences() -> None:
    together = joined("; ", [say("status {status}", status=404), "a name", say("1 face")])
    assert together == "status 404; a name; 1 face"
    assert [getattr(part, "template", None) for part in together.values.values()] == [
        "status {status}",
        None,
        "1 face",
    ]
    assert joined("; ", []) == ""


def test_an_error_keeps_its_sentence() -> None:
    error = PhotoTooLarge(nested())
    assert str(error) == nested()
    assert isinstance(error.sentence, Sentence)
    assert isinstance(pickle.loads(pickle.dumps(error)).sentence, Sentence)
    assert EnhanceError("plain").sentence == "plain"
    assert EnhanceError().sentence == ""
    named = EnhanceError("“{name}” is empty.", name="{a}.jpg").sentence
    assert (named, named.template) == ("“{a}.jpg” is empty.", "“{name}” is empty.")
    forged = EnhanceError.__new__(EnhanceError)  # as a decoder that was taken over may send it
    assert forged.sentence == ""
    assert EnhanceError.__new__(EnhanceError, "{name}").sentence == "{name}"


def test_reasons_of_failures_are_sentences() -> None:
    failures = [
        failure(0, "a.jpg", EnhanceError(say("The batch was stopped."))),
        failure(0, "a.jpg", ValueError("secret")),
        failure(0, "a.jpg", NotSaved.because("a.jpg", OSError(28, "No space left"))),
    ]
    for record in failures:
        assert isinstance(record.reason, Sentence)
        assert record.reason.template in CHINESE
        assert "“a.jpg”" in record.reason


@pytest.mark.parametrize(
    "wrong", [{"size": "5x"}, {"weight": 2}, {"restorer": "best"}, {"quality": 0}, {"tile": 1}]
)
def test_refused_options_can_be_translated(wrong: dict[str, object]) -> None:
    with pytest.raises(EnhanceError) as caught:
        Options(**wrong)  # type: ignore[arg-type]
    sentence = caught.value.sentence
    assert isinstance(sentence, Sentence)
    assert CHINESE[sentence.template].format(**sentence.values).startswith(next(iter(wrong)))


def test_templates_are_literals() -> None:
    said = [*calls("say"), *((place, call) for place, call in calls(*KINDS) if call.keywords)]
    assert not [place for place, call in said if literal(call.args[0]) is None]


def said() -> dict[str, str]:
    """Every text for people, with where it stands."""
    sayings = calls("say", "text", "translated", "toast", "cls", *KINDS)
    first = ((place, literal(call.args[0])) for place, call in sayings if call.args)
    return {text: place for place, text in first if text is not None}


def test_everything_said_has_a_translation() -> None:
    missing = {text: place for text, place in said().items() if text not in CHINESE}
    assert not missing, "make texts, then translate them"


def test_the_catalogue_is_finished() -> None:
    """`make check` says whether it is up to date."""
    with CATALOGUE.open("rb") as file:
        messages = read_po(file, abort_invalid=True)
    assert not [message.id for message in messages if message.id and message.fuzzy]
    assert not messages.obsolete


@pytest.mark.parametrize("english", CHINESE)
def test_a_translation_has_the_same_fields(english: str) -> None:
    assert fields(CHINESE[english]) == fields(english)


def test_every_translation_is_used() -> None:
    assert not set(CHINESE) - set(said())


def test_no_error_is_raised_with_text_that_cannot_be_translated() -> None:
    plain = [
        place
        for place, call in calls(*KINDS)
        if not call.args or isinstance(call.args[0], ast.JoinedStr | ast.BinOp)
    ]
    assert not plain
