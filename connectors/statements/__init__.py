"""Statements of transit accounts, from a bank's bytes to a BankStatement whose sums agree (design §1, edge of clearing).

What services call; readers are pure and raise only ``schemas.statement.StatementUnbelieved``:

- ``believing.read_any(body, account, now) -> BankStatement``: a file of any format that is known here.
- ``client_bank_1c.read_1c``, ``camt.read_camt``, ``alfa.read_alfa_file``: one format each, with the same three arguments.
- ``source.BankStatementSource.bank_statement(account, day) -> BankStatement | StatementUnread``: a bank that can be asked.
- ``alfa_hint.alfa_hint(body) -> account | None``: whose statement a webhook tells to read again.
"""
