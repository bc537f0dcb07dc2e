"""The model picker: the known models with what they need, another by name, the precision."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from webui.models import ModelOffer, Models
from webui.session import Session
from webui.strings import Language, say
from webui.views.render import render


@dataclass(frozen=True, slots=True)
class _Badge:
    """A word beside a model's name."""

    kind: str  # its class
    text: str


@dataclass(frozen=True, slots=True)
class _Offer:
    """A row of the list."""

    name: str  # what `Models.pick` takes
    title: str
    facts: str
    badges: tuple[_Badge, ...] = ()
    allowed: bool = True  # whether it can be picked


def picker_html(models: Models | None, session: Session) -> Markup:
    """A button, and below it the form once it was pressed; nothing where no model can be picked."""
    if models is None:
        return Markup()
    language, offers = session.language, session.offers
    return render(
        "picker.html",
        language,
        offers=None if offers is None else _offers(offers, models, language),
        problem=session.pick_problem,
        download_hint=not models.downloads and not all(offer.here for offer in offers or ()),
        folders=models.folders,
        precisions=models.precisions,
    )


def _offers(offers: tuple[ModelOffer, ...], models: Models, language: Language) -> list[_Offer]:
    quote = _Offer("", say(language, "model_quote"), say(language, "model_quote_hint"))
    return [quote, *(_offer(offer, models, language) for offer in offers)]


def _offer(offer: ModelOffer, models: Models, language: Language) -> _Offer:
    here = "model_here" if offer.here else "model_fetched" if models.downloads else "model_away"
    badges = [_Badge("here" if offer.here else "away", say(language, here))]
    if offer.fits is not None:
        word = "model_fits" if offer.fits else "model_too_large"
        badges.append(_Badge("fits" if offer.fits else "large", say(language, word)))
    allowed = offer.here or models.downloads
    return _Offer(offer.name, offer.title, _facts(offer, language), tuple(badges), allowed)


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
