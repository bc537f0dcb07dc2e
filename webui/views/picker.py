"""The model picker: the model recommended for this machine, a download, a server, and all known models."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from rag.messages import Message
from webui.models import Download, ModelOffer, Models, Recommendation
from webui.session import Session
from webui.strings import Language, say
from webui.views.render import render

GB = 1e9


@dataclass(frozen=True, slots=True)
class _Badge:
    """A word next to a model's name."""

    kind: str  # its class
    text: str


@dataclass(frozen=True, slots=True)
class _Offer:
    """A model as the template takes it."""

    name: str  # the name that `Models.pick` takes
    title: str
    facts: str
    badges: tuple[_Badge, ...] = ()
    allowed: bool = True  # whether it can be chosen
    precision: str = "auto"
    verb: str = ""  # on the button of the recommended model


@dataclass(frozen=True, slots=True)
class _Transfer:
    """A download as the template takes it."""

    model: str
    percent: int
    amount: str  # "1.2 of 18.8 GB"; "" until known
    paused: bool
    failed: Message | None


def picker_html(models: Models | None, session: Session) -> Markup:
    """A button, followed by the form once it was clicked; empty if no model can be chosen."""
    if models is None:
        return Markup()
    language, offers = session.language, session.offers
    best = session.recommended
    return render(
        "picker.html",
        language,
        offers=None if offers is None else _offers(offers, models, language),
        recommended=_recommended(best, models, language) if best is not None else None,
        transfer=_transfer(models.download, language),
        servers=models.servers,
        served=session.served,
        connection=None if offers is None else models.connection,  # it is read from a file, so not at every drawing
        problem=session.pick_problem,
        download_hint=not models.downloads and not all(offer.here for offer in offers or ()),
        folders=models.folders,
        precisions=models.precisions,
    )


def _recommended(best: Recommendation, models: Models, language: Language) -> _Offer:
    offer = best.offer
    facts = [
        say(language, "model_size", n=f"{offer.parameters:g}") if offer.parameters else "",
        _licence(offer, language),
        say(language, "model_memory", gb=f"{best.memory_gb:.1f}", precision=best.precision.upper()),
        say(language, "model_speed", n=f"{best.tokens_per_second:.2g}"),
    ]
    if not offer.here and offer.download_gb:
        facts.append(say(language, "model_download_size", gb=f"{offer.download_gb:.1f}"))
    return _Offer(
        offer.name,
        offer.title,
        " · ".join(filter(None, facts)),
        allowed=offer.here or models.downloads,
        precision=best.precision,
        verb=say(language, "model_load" if offer.here else "model_download"),
    )


def _transfer(download: Download | None, language: Language) -> _Transfer | None:
    if download is None:
        return None
    done, total = download.done / GB, download.total / GB
    amount = say(language, "model_arrived", done=f"{done:.1f}", total=f"{total:.1f}") if total else ""
    percent = int(100 * download.done / download.total) if download.total else 0
    return _Transfer(download.model, percent, amount, download.paused, download.failed)


def _offers(offers: tuple[ModelOffer, ...], models: Models, language: Language) -> list[_Offer]:
    quote = _Offer("", say(language, "model_quote"), say(language, "model_quote_hint"))
    return [quote, *(_offer(offer, models, language) for offer in offers)]


def _offer(offer: ModelOffer, models: Models, language: Language) -> _Offer:
    here = "model_here" if offer.here else "model_fetched" if models.downloads else "model_away"
    badges = [_Badge("here" if offer.here else "away", say(language, here))]
    if offer.fits is not None:
        fits = (
            say(language, "model_fits", precision=offer.fits.upper())
            if offer.fits
            else say(language, "model_too_large")
        )
        badges.append(_Badge("fits" if offer.fits else "large", fits))
    allowed = offer.here or models.downloads
    return _Offer(offer.name, offer.title, _facts(offer, language), tuple(badges), allowed)


def _facts(offer: ModelOffer, language: Language) -> str:
    """One line: "9.4B · 32K context · INT8 11.1 GB · INT4 7.0 GB · MIT"."""
    facts = [f"{offer.parameters:g}B"] if offer.parameters is not None else []
    if offer.context is not None:
        facts.append(say(language, "model_context", n=f"{offer.context / 1024:g}"))
    for precision, needed in (("INT8", offer.int8_gb), ("INT4", offer.int4_gb)):
        if needed is not None:
            facts.append(f"{precision} {needed:.1f} GB")
    return " · ".join(filter(None, [*facts, _licence(offer, language)]))


def _licence(offer: ModelOffer, language: Language) -> str:
    return say(language, "model_licence_own") if offer.licence == "custom" else offer.licence
