"""Check digits of invented requisites: made right by construction, so that the real loader takes them."""

_KEY_POSITION = 8
_KEY_WEIGHTS = (7, 1, 3)
_INN_WEIGHTS = (2, 4, 10, 3, 5, 9, 4, 6, 8)


def account_with_key(account: str, bic: str) -> str:
    """Put the right control key into a 20-digit account at a credit institution (ЦБ РФ 08.09.1997 № 515).

    The digit that stands at the key's place is ignored. A correspondent account is the bank's with a unit of the Bank of Russia.
    """
    key_prefix = f"0{bic[4:6]}" if account.startswith(("301", "40102")) else bic[-3:]
    bare = f"{account[:_KEY_POSITION]}0{account[_KEY_POSITION + 1 :]}"
    total = sum(int(digit) * _KEY_WEIGHTS[place % 3] % 10 for place, digit in enumerate(key_prefix + bare))
    return f"{account[:_KEY_POSITION]}{total % 10 * 3 % 10}{account[_KEY_POSITION + 1 :]}"


def inn_with_check(nine: str) -> str:
    """Append the check digit to the first nine digits of an organisation's ИНН."""
    total = sum(int(digit) * weight for digit, weight in zip(nine, _INN_WEIGHTS, strict=True))
    return f"{nine}{total % 11 % 10}"
