"""Numbers as Kubernetes reads them: exact, and never less than what was asked for."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from runner.orchestrators.flavors.kubernetes.pod_schema import _QUANTITY
from runner.orchestrators.quantities import LARGEST, cpu, seconds, size, verbatim

SCALES = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60}
SCALES |= {"k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15, "E": 10**18}


def read(quantity: str) -> Fraction:
    """A quantity as Kubernetes' documentation says that it is read."""
    number = quantity.rstrip("kKMGTPEim")
    suffix = quantity[len(number) :]
    return Fraction(number) * (Fraction(1, 1000) if suffix == "m" else SCALES.get(suffix, 1))


def test_as_people_write_them() -> None:
    assert [cpu(count) for count in (1, 0.5, 0.1, 2.25, 0.0001)] == ["1", "500m", "100m", "2250m", "1m"]
    assert [size(count) for count in (4 * 2**30, 2 * 10**9, 1500, 0)] == ["4Gi", "2G", "1500", "0"]


@given(st.integers(0, LARGEST))
def test_bytes_are_exact(count: int) -> None:
    assert _QUANTITY.fullmatch(size(count)) and read(size(count)) == count


@given(st.decimals(Decimal("0.0001"), 100_000, places=4))
def test_processors_are_no_fewer_and_at_most_a_thousandth_more(count: Decimal) -> None:
    made = read(cpu(float(count)))
    assert Fraction(count) <= made < Fraction(count) + Fraction(1, 1000)


@given(st.floats(0, 2**31, exclude_min=True))
def test_seconds_are_no_fewer_and_not_a_whole_one_more(time: float) -> None:
    assert time <= seconds(time) < time + 1 or seconds(time) == 1


@given(st.text(alphabet="$()aB{} ", max_size=12))
def test_a_process_gets_its_variables_as_they_were_written(text: str) -> None:
    assert expanded(verbatim(text)) == text


def expanded(text: str) -> str:
    """As Kubernetes does it (third_party/forked/golang/expansion), with no variable known."""
    made, at = "", 0
    while at < len(text):
        if text[at] != "$" or at + 1 == len(text):
            made, at = made + text[at], at + 1
        elif text[at + 1] == "$":
            made, at = made + "$", at + 2
        elif text[at + 1] == "(" and ")" in text[at:]:
            end = text.index(")", at)
            made, at = made + f"[{text[at + 2 : end]}]", end + 1
        else:
            made, at = made + text[at : at + 2], at + 2
    return made
