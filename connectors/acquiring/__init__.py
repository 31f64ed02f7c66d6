"""Acquirers and СБП: their callbacks read, their interfaces spoken (protocols.md §2, §3).

What the gateway's routes call; all are pure, never raise, and give no event without a valid signature:

- ``rbs_callback.decode(parameters: Mapping[str, str], terms: RbsCallbackTerms) -> AcquirerEvent | CallbackRefused``; parameters
  are those of the query or of the form (connectors/terminals/parameters.py). Answer 200 to what was believed.
- ``tbank.decode(body: bytes, terms: TBankTerms) -> AcquirerEvent | CallbackRefused``; answer 200 with ``tbank.ANSWER``.
- ``tochka.decode(body: bytes, terms: TochkaTerms) -> AcquirerEvent | CallbackRefused``; answer 200.

``CallbackRefused`` (callback_refused.py) says why, in words that hold nothing of the message, and ``forged`` when it is the
signature. Aliases of a payment carry what they are (``schemas.acquiring.order_alias``, ``rrn_alias``, ``qr_alias``): an order's
number and a payment's id are both plain digits at T-Bank, and neither may be taken for the other. ``payment`` stands as it came.
"""
