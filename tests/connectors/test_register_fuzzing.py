"""Whatever the bytes are, a reader gives a whole register or its own error, never anything between."""

import io
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.registers.describing import DescriptionError, parse_description
from connectors.registers.detection import FormatUncertain, detect_register
from connectors.registers.reading import read_register
from connectors.registers.register import Register, RegisterUnreadable
from connectors.registers.shipped import FORMATS, shipped_formats
from connectors.sandbox.registers import RegisterFault, write_sent
from tests.connectors.register_samples import sent_register

NAMES = sorted(shipped_formats())
VALID = {name: write_sent(name, sent_register(6), fault) for name in NAMES for fault in (RegisterFault.NONE,)}


def read_or_refuse(content: bytes, name: str) -> Register | None:
    """The register, which then adds up, or None when it was refused with faults that say where."""
    try:
        register = read_register(content, shipped_formats()[name])
    except RegisterUnreadable as error:
        assert error.faults and error.count >= len(error.faults)
        assert all(fault.field and fault.fault and "Иванов" not in str(fault) for fault in error.faults)
        return None
    assert register.lines and register.total_kopecks == sum(line.amount_kopecks for line in register.lines)
    assert all(line.amount_kopecks > 0 and 0 <= line.fee_kopecks <= line.amount_kopecks for line in register.lines)
    assert all(0 < len(line.operation.encode()) <= 128 and len(line.account) <= 200 for line in register.lines)
    return register


@pytest.mark.parametrize("name", NAMES)
@given(content=st.binary(max_size=400) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_arbitrary_bytes(name: str, content: bytes) -> None:
    read_or_refuse(content, name)
    assert content is not None


@st.composite
def mutations(draw: st.DrawFn, whole: bytes) -> bytes:
    """The file with parts cut out, doubled, moved or overwritten."""
    content = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(0, len(content) - 1)))
        length = draw(st.integers(0, 40))
        kind = draw(st.sampled_from(("cut", "double", "overwrite", "insert")))
        if kind == "cut":
            del content[place : place + length]
        elif kind == "double":
            content[place:place] = content[place : place + length]
        elif kind == "insert":
            content[place:place] = draw(
                st.sampled_from((b";", b"\r\n", b'"', b"\0", b"=", b"#", b" ", b"-", b"9", b"\xff", b":"))
            )
        else:
            content[place : place + length] = draw(st.binary(max_size=8))
    return bytes(content)


@pytest.mark.parametrize("name", NAMES)
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_mutated_registers(name: str, data: st.DataObject) -> None:
    content = data.draw(mutations(VALID[name]))
    register = read_or_refuse(content, name)
    assert register is None or len(register.lines) <= len(content)


@given(data=st.data())
@settings(max_examples=60)
def test_detection_of_mutated_registers(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(NAMES))
    content = data.draw(mutations(VALID[name]))
    try:
        assert detect_register(content, shipped_formats()).format in NAMES
    except FormatUncertain as error:
        assert len(error.accepted) != 1 and len(error.accepted) + len(error.refused) == len(NAMES)


@given(data=st.data())
@settings(max_examples=200)
def test_mutated_descriptions(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(FORMATS.glob("*.toml"))))
    text = data.draw(mutations(path.read_bytes())).decode("utf-8", "replace")
    try:
        described = parse_description(text)
    except DescriptionError as error:
        assert str(error)
        return
    try:
        assert read_register(VALID[path.stem], described).lines
    except RegisterUnreadable as error:
        assert error.faults


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_mutated_sheets_of_whole_workbooks(data: st.DataObject) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(VALID["xlsx"])) as whole, zipfile.ZipFile(packed, "w") as mutated:
        for part in whole.namelist():
            content = whole.read(part)
            mutated.writestr(part, data.draw(mutations(content)) if part.endswith("sheet1.xml") else content)
    register = read_or_refuse(packed.getvalue(), "xlsx")
    assert register is None or len(register.lines) <= 20
