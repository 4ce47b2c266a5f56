"""Directory of the sandbox's platform: the fixtures, and the accounts that were registered since."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kfq_async.sandbox.fixtures import Account

if TYPE_CHECKING:
    from kfq_async.sandbox.fixtures import Developer, Enterprise, Fixtures, Line, Seal
    from kfq_async.sandbox.store import RegisteredAccount, Store

__all__ = ["Directory"]


class Directory:
    """Look-ups of tokens, accounts, business lines and seals."""

    def __init__(self, fixtures: Fixtures, store: Store) -> None:
        self._fixtures = fixtures
        self._store = store

    def developer(self, token: str) -> tuple[Enterprise, Developer] | None:
        """Return the enterprise and the developer of a token, whose letter case does not count."""
        return self._fixtures.developer(token)

    def operator(self, token: str, operator_account: str | None) -> Account | None:
        """Return the account that ``operatorAccount`` is linked to (protocol section 1.2)."""
        return self._fixtures.operator(token, operator_account)

    def account(self, contact: str) -> Account | None:
        """Return the account of a contact."""
        account = self._fixtures.account(contact)
        if account is not None:
            return account
        registered = self._store.accounts.one("contact = ?", contact)
        if registered is None:
            return None
        return Account(name=registered.name, contact_type=registered.contact_type, contact=registered.contact)

    def is_member(self, enterprise: Enterprise, contact: str) -> bool:
        """Return whether an account belongs to an enterprise."""
        if self._fixtures.is_member(enterprise, contact):
            return True
        return self._store.accounts.one("contact = ? AND company_name = ?", contact, enterprise.name) is not None

    def is_enterprise(self, name: str | None) -> bool:
        """Return whether an enterprise of this name is known."""
        if name is None:
            return False
        return self._fixtures.is_enterprise(name) or self._store.accounts.one("company_name = ?", name) is not None

    def enterprise(self, name: str | None) -> Enterprise | None:
        """Return the enterprise of a name, if the fixtures have it."""
        return self._fixtures.enterprise(name)

    def line(self, enterprise: Enterprise, sign_re_id: str) -> Line | None:
        """Return a business line of an enterprise, also a disabled one."""
        return self._fixtures.line(enterprise, sign_re_id)

    def seal(self, enterprise: Enterprise, seal_id: str) -> Seal | None:
        """Return a seal of an enterprise."""
        return self._fixtures.seal(enterprise, seal_id)

    def granted_seal(self, account: Account, sign_re_id: str, today: str) -> Seal | None:
        """Return the seal that a person has granted for a business line, if the grant lasts until ``today``."""
        return self._fixtures.granted_seal(account, sign_re_id, today)

    def register(self, account: RegisteredAccount) -> None:
        """Add an account; its company becomes known to it, or another one as well."""
        self._store.accounts.add(account)
