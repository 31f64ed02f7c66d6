"""A line's explanation as it is stored: a MessagePack array without field names, a fifth of the same in jsonb."""

import msgspec

from services.billing.core.lines import Explanation
from services.billing.core.month import VolumeSource

_Packed = tuple[str, tuple[tuple[str, int], ...], VolumeSource | None, str]
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Packed)


def pack_explanation(explanation: Explanation) -> bytes:
    """Return the stored bytes."""
    return _encoder.encode((explanation.formula, explanation.inputs, explanation.source, explanation.note))


def unpack_explanation(packed: bytes) -> Explanation:
    """Read them back; foreign bytes raise msgspec.DecodeError or ValidationError."""
    formula, inputs, source, note = _decoder.decode(packed)
    return Explanation(formula=formula, inputs=inputs, source=source, note=note)
