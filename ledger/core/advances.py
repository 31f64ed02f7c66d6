"""Where an advance (аванс) of an account goes, and the charge lines that hold advances (law.md 1.9)."""

from collections.abc import Sequence

import msgspec

from ledger.core.account_facts import AccountFacts, BuildError, Charge, ChargeKind
from schemas.allocation import AccountState, Advance, AdvanceRule, Pool
from schemas.ids import Line, PayeeNumber


class AdvanceLine(msgspec.Struct, frozen=True, kw_only=True):
    """A charge line of kind 3 that an account needs: advances of ``payee``, on behalf of ``creditor``."""

    payee: PayeeNumber
    creditor: int


def lines_of_advances(charges: Sequence[Charge]) -> dict[PayeeNumber, Line]:
    """Return the account's advance lines by payee."""
    return {charge.payee: charge.line for charge in charges if charge.kind is ChargeKind.ADVANCE}


def missing_advance_lines(facts: AccountFacts, charges: Sequence[Charge]) -> tuple[AdvanceLine, ...]:
    """Return the advance lines to be added to the account's charges before its table can be built, each payee once."""
    provider = facts.provider
    wanted: dict[PayeeNumber, int] = {}
    rule = _rule(facts)
    if rule == AdvanceRule.TO_LINE:
        wanted[provider.advance_payee] = provider.number
    elif rule == AdvanceRule.BY_WEIGHTS:
        wanted |= {charge.payee: charge.creditor for charge in _weighted(charges)}
    for charge in charges:
        if charge.opening_advance and charge.line > facts.opening_until:
            payee = opening_advance_payee(facts, charge)
            wanted.setdefault(payee, provider.number if payee == provider.advance_payee else charge.creditor)
    have = lines_of_advances(charges)
    return tuple([AdvanceLine(payee=payee, creditor=creditor) for payee, creditor in wanted.items() if payee not in have])


def opening_advance_payee(facts: AccountFacts, charge: Charge) -> PayeeNumber:
    """Return whose advance line holds a charge's opening advance: the provider's where it takes advances, else the charge's."""
    to_line = facts.provider.advance_rule == AdvanceRule.TO_LINE
    return facts.provider.advance_payee if to_line else charge.payee


def advance_of(facts: AccountFacts, charges: Sequence[Charge]) -> Advance:
    """Return the table's advance; one without a line it needs raises BuildError, see ``missing_advance_lines``.

    REFUSE for accounts closed or open for debts only, and by weights before the first document.
    """
    rule = _rule(facts)
    lines = lines_of_advances(charges)
    try:
        if rule == AdvanceRule.TO_LINE:
            payee = facts.provider.advance_payee
            return Advance(rule=rule, payees=(payee,), lines=(lines[payee],))
        if rule == AdvanceRule.BY_WEIGHTS and (weights := _weights(facts, charges)):
            payees = tuple(weights)
            return Advance(
                rule=rule, payees=payees, lines=tuple([lines[payee] for payee in payees]), weights=tuple(weights.values())
            )
    except KeyError as error:
        raise BuildError(facts.account, f"no advance line of payee {error.args[0]}") from error
    return Advance(rule=AdvanceRule.REFUSE)


def _rule(facts: AccountFacts) -> AdvanceRule:
    return facts.provider.advance_rule if facts.state == AccountState.OPEN else AdvanceRule.REFUSE


def _weights(facts: AccountFacts, charges: Sequence[Charge]) -> dict[PayeeNumber, int]:
    """Sum the weights by payee, in the order of the tie rule: (recipient, service)."""
    weights: dict[PayeeNumber, int] = {}
    for charge in sorted(_weighted(charges), key=lambda charge: facts.register.payees[charge.payee]):
        weights[charge.payee] = weights.get(charge.payee, 0) + charge.amount
    return weights


def _weighted(charges: Sequence[Charge]) -> list[Charge]:
    """Return the charges above zero of the newest main document."""
    main = [
        charge
        for charge in charges
        if charge.kind is ChargeKind.PRINCIPAL and charge.pool == Pool.MAIN and not charge.court_order
    ]
    newest = max((charge.period for charge in main), default=0)
    return [charge for charge in main if charge.period == newest and charge.amount > 0]
