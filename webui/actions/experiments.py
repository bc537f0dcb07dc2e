"""Actions on comparisons of two variants of the settings: choose the variants, start, resume, show, remove.

Ids from a browser are looked up among those of its owner; no others reach the engine.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rag.evaluation.experiment import Variant
from rag.manner import Manner
from rag.preferences import Preferences
from webui.actions.settings import changed_preferences, no_such_setting
from webui.engine import Engine
from webui.session import Session


def change_experiments(engine: Engine, session: Session, data: dict[str, Any]) -> None:
    """Do what the browser sent. Raises AskError."""
    experiments, owner, shown = engine.evaluations.experiments, session.owner, session.evaluation
    sent = data.get("experiment")
    known = next((one.id for one in experiments.listed(owner) if one.id == sent), None)
    match data.get("do"):
        case "set-variant":
            shown.variants = _with_change(variants_of(engine, session), data, own_preferences(engine, session))
        case "compare":
            experiments.start(owner, variants_of(engine, session))
            shown.experiment = None
        case "resume" if known is not None:
            shown.experiment = known
            experiments.resume(owner, known)
        case "experiment":
            shown.experiment = known
        case "forget-experiment" if known is not None:
            experiments.remove(owner, known)
            shown.experiment = None


def variants_of(engine: Engine, session: Session) -> tuple[Variant, Variant]:
    """The variants to compare next. At first, both are the person's own settings."""
    if session.evaluation.variants is not None:
        return session.evaluation.variants
    own = Variant(own_preferences(engine, session), session.conversation.quotes)
    return own, own


def own_preferences(engine: Engine, session: Session) -> Preferences:
    """The person's preferences, without those that cannot affect a question outside a conversation."""
    return replace(session.preferences(engine), follow_ups=True, reasons=True)


def _with_change(variants: tuple[Variant, Variant], data: dict[str, Any], own: Preferences) -> tuple[Variant, Variant]:
    """The variants after one setting of one of them was changed. Raises SettingRefused."""
    first, second = variants
    if data.get("side") == 0:
        return _changed(first, data, own), second
    if data.get("side") == 1:
        return first, _changed(second, data, own)
    raise no_such_setting()


def _changed(variant: Variant, data: dict[str, Any], own: Preferences) -> Variant:
    name, value = data.get("name"), data.get("value")
    if name == "reader":
        return replace(variant, quotes=value == "quotes")
    if name == "instruction":
        kept = own.manner if value == "own" else Manner()
        manner = replace(variant.preferences.manner, english=kept.english, chinese=kept.chinese)
        return replace(variant, preferences=replace(variant.preferences, manner=manner))
    if name not in ("sources", "strictness", "length", "language", "temperature"):
        raise no_such_setting()
    return replace(variant, preferences=changed_preferences(variant.preferences, name, value))
