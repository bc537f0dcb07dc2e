"""The control that picks a model as HTML: the known models with what they need, another by name, the precision."""

from __future__ import annotations

from webui.conversation import Conversation
from webui.models import ModelOffer, Models
from webui.strings import Language, say
from webui.views.markup import escape


def picker_html(models: Models | None, conversation: Conversation) -> str:
    """A button, and below it the form once it was pressed; nothing where no model can be picked."""
    if models is None:
        return ""
    language, offers = conversation.language, conversation.offers
    shown = offers is not None
    toggle = (
        f'<button type="button" class="quiet toggle" data-do="models" data-key="models"'
        f' aria-expanded="{str(shown).lower()}">{escape(say(language, "model_choose"))}</button>'
    )
    problem = ""
    if conversation.pick_problem:
        problem = (
            f'<p class="refused" dir="auto" role="alert" data-key="refused">{escape(conversation.pick_problem)}</p>'
        )
    return f"{toggle}{problem}{_form(models, offers, language) if offers is not None else ''}"


def _form(models: Models, offers: tuple[ModelOffer, ...], language: Language) -> str:
    hint = ""
    if not models.downloads and not all(offer.here for offer in offers):
        hint = f'<p class="hint" data-key="hint">{escape(say(language, "model_fetch_hint"))}</p>'
    rows = _row("", say(language, "model_quote"), say(language, "model_quote_hint"), "", allowed=True)
    rows += "".join(_offer(offer, models, language) for offer in offers)
    label = escape(say(language, "model_other_folder" if models.folders else "model_other"))
    example = "zai-org/GLM-4-9B-0414"
    choices = "".join(
        f'<option value="{escape(name)}">{escape(_precision(name, language))}</option>' for name in models.precisions
    )
    return (
        f'<form class="models" data-do="pick" data-key="models-form">{hint}'
        f'<ul class="offers" role="radiogroup" aria-label="{escape(say(language, "model_choose"))}">{rows}</ul>'
        f'<label class="other">{label}<input type="text" maxlength="1000" autocomplete="off" spellcheck="false"'
        f' placeholder="{example}"></label>'
        f'<div class="row"><label>{escape(say(language, "model_precision"))} <select>{choices}</select></label>'
        f'<button type="submit" class="small">{escape(say(language, "model_load"))}</button></div>'
        f'<p class="hint" data-key="note">{escape(say(language, "model_note"))}</p></form>'
    )


def _precision(name: str, language: Language) -> str:
    return say(language, "model_auto") if name == "auto" else name.upper()


def _offer(offer: ModelOffer, models: Models, language: Language) -> str:
    here = "model_here" if offer.here else "model_fetched" if models.downloads else "model_away"
    marks = f'<span class="mark {"here" if offer.here else "away"}">{escape(say(language, here))}</span>'
    if offer.fits is not None:
        word = "model_fits" if offer.fits else "model_too_large"
        marks += f'<span class="mark {"fits" if offer.fits else "large"}">{escape(say(language, word))}</span>'
    return _row(offer.name, offer.title, _facts(offer, language), marks, allowed=offer.here or models.downloads)


def _row(name: str, title: str, facts: str, marks: str, *, allowed: bool) -> str:
    off = "" if allowed else " disabled"
    return (
        f'<li data-key="offer-{escape(name)}"><label><input type="radio" name="model" value="{escape(name)}"{off}>'
        f'<span><b dir="auto">{escape(title)}</b> {marks}<small>{escape(facts)}</small></span></label></li>'
    )


def _facts(offer: ModelOffer, language: Language) -> str:
    """One line: "9.4B · 32K context · INT8 11.1 GB · INT4 7.0 GB · MIT"."""
    facts = [f"{offer.parameters:g}B"] if offer.parameters is not None else []
    if offer.context is not None:
        facts.append(say(language, "model_context", n=offer.context // 1024))
    for precision, needed in (("INT8", offer.int8_gb), ("INT4", offer.int4_gb)):
        if needed is not None:
            facts.append(f"{precision} {needed:.1f} GB")
    if offer.licence:
        custom = offer.licence == "custom"
        facts.append(say(language, "model_licence_own") if custom else offer.licence)
    return " · ".join(facts)
