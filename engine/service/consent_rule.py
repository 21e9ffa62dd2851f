"""What a sync asks of people, from its own file and from its destination's: it inherits, and may only ask for more."""

from __future__ import annotations

from collections.abc import Iterator

from config.consent import ConsentDefaults
from config.consent import ConsentRule as ConsentBlock
from config.sync import SyncFile
from destinations.base import Op, Spec
from engine.contracts.finding import Finding
from engine.core.consent_rule import ConsentRule, OnWithdrawal, Policy
from engine.core.desired import Mode

_STRICTEST_FIRST = (OnWithdrawal.DELETE, OnWithdrawal.UNSUBSCRIBE, OnWithdrawal.IGNORE)
_NO_DEFAULTS = ConsentDefaults()
OPERATIONS = {
    OnWithdrawal.DELETE: frozenset({Op.DELETE}),
    OnWithdrawal.UNSUBSCRIBE: frozenset({Op.UNSUBSCRIBE}),
    OnWithdrawal.IGNORE: frozenset[Op](),
}


def consent_rule(file: SyncFile, defaults: ConsentDefaults | None) -> tuple[ConsentRule | None, tuple[Finding, ...]]:
    """The rule of a sync to a destination with these ``defaults``, None when it asks nobody; and what is wrong with it."""
    if not isinstance(block := file.consent, ConsentBlock):
        return None, ()
    inherited = defaults or _NO_DEFAULTS
    findings = tuple(_findings(block, inherited, file.destination))
    chosen = block if block.asked else inherited
    if findings:
        return None, findings
    rule = ConsentRule(
        purposes=chosen.asked,
        subject=block.subject,
        policy=_policy(chosen),
        channel=block.channel or inherited.channel,
        on_withdrawal=_on_withdrawal(block, inherited),
    )
    return rule, ()


def _findings(block: ConsentBlock, inherited: ConsentDefaults, destination: str) -> Iterator[Finding]:
    if not block.asked and not inherited.asked:
        hint = "a sync may leave it out where its destination's file names some"
        yield Finding("missing_key", "`consent` names no `purpose` or `purposes`", hint, ("consent",))
    if block.asked and inherited.asked and not _asks_enough(block, inherited):
        asked = f"{_policy(inherited)} of {', '.join(inherited.asked)}"
        message = f"asks for less than its destination `{destination}` does, which wants {asked}"
        where = "purpose" if block.purpose is not None else "purposes"
        yield Finding("bad_value", message, "leave it out, or ask for more", ("consent", where))
    if block.channel is not None and inherited.channel not in (None, block.channel):
        message = f"is not the channel of its destination `{destination}`, which is {inherited.channel}"
        yield Finding("bad_value", message, "leave it out", ("consent", "channel"))
    strict = inherited.on_withdrawal
    if block.on_withdrawal is not None and strict is not None and _laxness(block) > _laxness(inherited):
        message = f"does less about a withdrawal than its destination `{destination}` wants: {strict}"
        yield Finding("bad_value", message, "leave it out", ("consent", "on_withdrawal"))


def _policy(asked: ConsentDefaults) -> Policy:
    return Policy(asked.policy or Policy.ALL)


def _on_withdrawal(block: ConsentBlock, inherited: ConsentDefaults) -> OnWithdrawal:
    return OnWithdrawal(block.on_withdrawal or inherited.on_withdrawal or OnWithdrawal.DELETE)


def _laxness(asked: ConsentDefaults) -> int:
    return _STRICTEST_FIRST.index(OnWithdrawal(asked.on_withdrawal or OnWithdrawal.DELETE))


def _asks_enough(block: ConsentBlock, inherited: ConsentDefaults) -> bool:
    """Whether nobody gets through whom the destination would not let through."""
    mine, theirs = frozenset(block.asked), frozenset(inherited.asked)
    match _policy(block), _policy(inherited):
        case Policy.ALL, Policy.ALL:
            return mine >= theirs
        case Policy.ALL, Policy.ANY:
            return bool(mine & theirs)
        case Policy.ANY, Policy.ANY:
            return mine <= theirs
        case _:
            return theirs <= mine and len(mine) == 1


def withdrawal_findings(rule: ConsentRule | None, mode: Mode, spec: Spec) -> tuple[Finding, ...]:
    """Why what is to become of a withdrawal cannot be done, by this adapter or in this mode."""
    if rule is None:
        return ()
    path, asked = ("consent", "on_withdrawal"), rule.on_withdrawal
    if missing := sorted(OPERATIONS[asked] - spec.operations):
        message = f"`on_withdrawal: {asked}` needs {', '.join(missing)}, which a {spec.name} destination cannot do"
        able = [word.value for word in _STRICTEST_FIRST if OPERATIONS[word] <= spec.operations]
        return (Finding("not_supported", message, f"it can {', '.join(able)}", path),)
    if asked is OnWithdrawal.UNSUBSCRIBE and mode is Mode.INSERT:
        message = "`on_withdrawal: unsubscribe` keeps the record, and mode insert could never write it again"
        return (Finding("not_supported", message, "use mode upsert, or `on_withdrawal: delete`", path),)
    return ()


def consent_warnings(
    file: SyncFile, rule: ConsentRule | None, defaults: ConsentDefaults | None, spec: Spec
) -> Iterator[str]:
    """What an operator should know of a sync that is right as it is."""
    if rule is None and defaults is not None:
        yield f"{file.file}: asks nobody, although its destination `{file.destination}` asks for consent"
    if rule is not None and rule.on_withdrawal is OnWithdrawal.IGNORE:
        yield (
            f"{file.file}: `on_withdrawal: ignore`: what `{file.destination}` holds of people who take consent back"
            " stays there"
        )
    if rule is not None and rule.on_withdrawal is OnWithdrawal.UNSUBSCRIBE and not spec.resubscribes:
        yield (
            f"{file.file}: who takes consent back and gives it again stays unsubscribed in `{file.destination}`:"
            " only the person can subscribe there again"
        )
