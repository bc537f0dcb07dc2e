"""Completes an English follow-up from the question before it, replacing the part that has changed."""

from __future__ import annotations

import re

from rag.retrieve.dialogue.clause import Clause, analyse, base_verbs, irregular_verbs, is_clause, past_tense
from rag.retrieve.dialogue.fragments import ask_of_owner, replace_condition, replace_phrase
from rag.retrieve.dialogue.pronouns import PRONOUN, resolve
from rag.retrieve.dialogue.subject import Before, capitalised, topic_of, uncapitalised

_LEAD = re.compile(
    r"^(?:(?:and|but|or|so|then|ok(?:ay)?|now)[,\s]+)*(?:(?:what|how)\s+(?:about|of)\s+|(?:the\s+)?same(?:\s+question)?\s+for\s+)?",
    re.IGNORECASE,
)
_CONJUNCTION = re.compile(r"^(?:(?:and|but|or|so|then|also|ok(?:ay)?|now)[,\s]+)+", re.IGNORECASE)
_TRAILER = re.compile(r"(?:[,\s]+(?:then|instead|as well|too|please|respectively|exactly))+$", re.IGNORECASE)
_MORE = re.compile(
    r"^(?:please\s+)?(?:(?:(?:can|could) you )?(?:tell me|say|explain|give me)\s+(?:some\s+)?more"
    r"(?:\s+details)?(?:\s+about\s+(?:it|that|this))?|more(?:\s+details)?|(?:in\s+)?more detail"
    r"|details|go on|elaborate)(?:\s+please)?$",
    re.IGNORECASE,
)
# Words that mean nothing without the question before, and replace nothing in it.
_VAGUE = re.compile(
    r"^(?:(?:which|what)\s+(?:ones?|else|others?)|any(?:thing)?\s+(?:else|more|others?)|others?|such as(?:\s+what)?"
    r"|for example|like what|really|are you sure|since when exactly)$",
    re.IGNORECASE,
)
# "What was it in 2020?": the whole question again, with what has changed.
_AGAIN = re.compile(
    r"^(?:what|how (?:much|many|high|large|big))\s+(?:is|are|was|were|will be|did)\s+"
    r"(?:it|that|they|those|this)\s+(?:be\s+)?(?=\S)",
    re.IGNORECASE,
)
_CHANGED = re.compile(
    r"(?:in|for|at|as of|before|after|on|by|during|under|with|within|last|the|next|then)\b", re.IGNORECASE
)
_BARE = re.compile(
    r"^(?:(?:in|on|at|by|for|from|to|of|with|under|since|until)\s+)?"
    r"(?:why(?:\s+not)?|when|where|whom?|how(?:\s+(?:much|many|often|long|come|so|exactly))?"
    r"|(?:what|which)\s+(?:years?|months?|dates?|days?|conditions?|circumstances|reasons?|extent|means|places?"
    r"|cit(?:y|ies)|countr(?:y|ies)))"
    r"(?:\s+(?:exactly|of (?:them|those|these)))?$",
    re.IGNORECASE,
)


def complete_english(question: str, before: str, answer: str) -> str | None:
    """The follow-up as a complete question; unchanged if it is one already; None if nothing fits."""
    earlier = Before(analyse(_CONJUNCTION.sub("", before)), answer)
    text = question.strip().rstrip("?？!. ")
    lead = _LEAD.match(text)
    rest = text[lead.end() :] if lead else text
    introduced = bool(lead and lead.end())
    core = _TRAILER.sub("", rest)
    if _VAGUE.match(rest):
        return None
    if _MORE.match(rest):
        return f"Tell me more about {topic_of(earlier.clause)}."
    if _BARE.match(core):
        return _asked_anew(core, earlier)
    if (again := _AGAIN.match(rest)) and _CHANGED.match(rest[again.end() :]):
        return replace_phrase(rest[again.end() :], earlier, introduced=True)
    if (condition := replace_condition(rest, earlier)) is not None:
        return condition
    if is_clause(rest):
        return resolve(question, rest, earlier)
    if elliptic := ask_of_owner(rest, earlier):
        return elliptic
    return replace_phrase(core, earlier, introduced=introduced) or (
        question if _stands_alone(core, introduced) else None
    )


def _stands_alone(fragment: str, introduced: bool) -> bool:
    """Whether words without a verb say themselves what they are about."""
    return not PRONOUN.search(fragment) and (bool(re.search(r"\b(?:of|for)\b|['’]s\b", fragment)) or not introduced)


# ---- question words alone: "When?", "By how much?"


def _asked_anew(word: str, before: Before) -> str | None:
    """The question before, with another question word."""
    clause = before.clause
    asks, rest = capitalised(word), clause.remainder
    if not rest:
        return None
    if word.casefold().split()[0:2] == ["how", "many"]:
        return _how_many(clause)
    if re.match(r"how (?:come|so)", word, re.IGNORECASE):
        asks = "Why"
    # "How heavy is the pump? Why?" -> "Why is the pump heavy?"
    degree = re.match(r"how (?!much\b|many\b|often\b|long\b)(\w+)$", clause.asked, re.IGNORECASE)
    if clause.inverted:
        return f"{asks} {uncapitalised(rest)}{f' {degree[1]}' if degree else ''}?"
    # "Who wrote Faust? When?" -> "When was Faust written?"
    verb, _, objects = rest.partition(" ")
    base, participle = _verb_forms(verb)
    if clause.asked.casefold() in ("who", "what") and objects and participle:
        if verb in (base, f"{base}s", f"{base}es"):
            return f"{asks} does {before.name_in_answer() or clause.asked.casefold()} {base} {objects}?"
        return f"{asks} {_was(objects)} {objects} {participle}?"
    return f"{asks} {uncapitalised(clause.asked)} {rest}?"


def _how_many(clause: Clause) -> str | None:
    """A question for the number of the last things that the question before names without a determiner."""
    things = [phrase for phrase in clause.phrases if not phrase.determined and not phrase.preposition]
    plain = [phrase for phrase in things if phrase.text.islower()]
    thing = next((phrase for phrase in plain if phrase.head.endswith("s")), plain[0] if plain else None)
    if thing is None:
        return None
    if thing.asked:
        return f"How many {thing.text} {clause.remainder}?"
    rest = clause.text[: thing.start].rstrip() + clause.text[thing.end :]
    return (
        f"How many {thing.text} {uncapitalised(rest[rest.find(clause.remainder[:3]) :] if clause.inverted else rest)}?"
    )


def _verb_forms(verb: str) -> tuple[str, str]:
    """Base form and participle of a finite verb; ("", "") if it is not known."""
    folded = verb.casefold()
    if folded in irregular_verbs():
        return irregular_verbs()[folded]
    for base in base_verbs():
        if folded in (past_tense(base), f"{base}s", f"{base}es"):
            return base, past_tense(base)
    return "", ""


def _was(objects: str) -> str:
    return "were" if objects.split(" in ")[0].rstrip().endswith("s") and objects.islower() else "was"
