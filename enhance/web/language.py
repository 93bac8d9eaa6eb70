"""The visitor's language, and the translation of everything the page says.

What handlers send is translated here, into the language of the request. The widgets' own texts are
translated in the browser before Gradio draws them: see `server.page_scripts`. `gr.I18n` would leave
the page's title in English, and everything for "zh" and "zh-HK", for which Gradio has no texts; and
its markers would replace the labels in the API's description.

The translations are a gettext catalogue in `enhance/locale`. The .po file itself is read, so no
compiled copy can be out of date.
"""

import html
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import gradio as gr
from babel import negotiate_locale
from babel.messages.pofile import read_po

from enhance.i18n import Sentence
from enhance.i18n import text as text  # the page's modules have all of their language from here

Language = Literal["en", "zh"]

CATALOGUE = Path(__file__).parents[1] / "locale" / "zh" / "LC_MESSAGES" / "enhance.po"


with CATALOGUE.open("rb") as _file:
    _MESSAGES = read_po(_file)
CHINESE = {str(m.id): str(m.string) for m in _MESSAGES if m.id and m.string and not m.fuzzy}
"""English to Chinese. The keys are texts of the page and templates of sentences."""


def language_of(request: gr.Request | None) -> Language:
    """The language that the request's sender prefers; English if unknown."""
    return preferred(request.headers) if request else "en"


def preferred(headers: Mapping[str, str]) -> Language:
    """Chinese if a request's Accept-Language names any kind of Chinese before English; browsers put
    the language that is preferred first."""
    accepted = headers.get("accept-language", "")
    tags = [item.partition(";")[0].strip() for item in accepted.lower().split(",")]
    return "zh" if negotiate_locale(tags, ["zh", "en"], sep="-") == "zh" else "en"


def translated(said: str, language: Language) -> str:
    """A sentence, or a text of the page, in that language; in English if it has no translation."""
    if language == "en":
        return str(said)
    if not isinstance(said, Sentence):
        return CHINESE.get(said, said)
    values = {
        name: translated(value, language) if isinstance(value, Sentence) else value
        for name, value in said.values.items()
    }
    return CHINESE.get(said.template, said.template).format(**values)


def toast(said: str, language: Language, duration: float | None = 10) -> gr.Error:
    """The error to raise so that the page shows `said`.

    duration: for how many seconds; None until it is closed.
    """
    # Escaped, because Gradio renders errors as HTML and the sentence may contain a photo's name.
    # No traceback in the log, because this is an answer and not a server fault.
    sentence = html.escape(translated(said, language))
    return gr.Error(sentence, duration, print_exception=False)
