"""The sales steps are plain functions: called here without any run."""

from __future__ import annotations

import pandas as pd
import pytest

from pipelines.steps import sales

COLUMNS = ["order_id", "date", "region", "product", "quantity", "unit_price"]
GOOD = ["O-1", "2025-01-31", "North", "kettle", "2", "10.00"]


def rows(*changes: dict[str, str]) -> pd.DataFrame:
    """One good row, and one more a change of it."""
    return pd.DataFrame(
        [GOOD, *({**dict(zip(COLUMNS, GOOD, strict=True)), **change}.values() for change in changes)], columns=COLUMNS
    )


def test_read_leaves_cells_as_text() -> None:
    frame = sales.read("sales.csv")
    assert list(frame.columns) == COLUMNS
    assert "" in set(frame["quantity"])


def test_shipped_rows_are_mostly_usable() -> None:
    cleaned = sales.clean(sales.read("sales.csv"), max_rejected=0.05)
    assert (len(cleaned.orders), len(cleaned.rejected)) == (467, 13)


@pytest.mark.parametrize(
    "change",
    [{"region": " north "}, {"date": "31.01.2025"}, {"unit_price": "€ 10,00"}],
    ids=["region", "date", "price"],
)
def test_clean_mends(change: dict[str, str]) -> None:
    orders = sales.clean(rows(change), max_rejected=0).orders
    first, mended = (row.drop("order_id").to_dict() for _, row in orders.iterrows())
    assert mended == first
    assert mended["total"] == 20.0


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"date": "2025-02-30"}, "no such date"),
        ({"region": ""}, "unknown region"),
        ({"quantity": "two"}, "no whole quantity"),
        ({"quantity": "-1"}, "quantity below one"),
        ({"unit_price": "?"}, "no price"),
    ],
)
def test_clean_rejects_with_the_reason(change: dict[str, str], reason: str) -> None:
    cleaned = sales.clean(rows(change), max_rejected=0.5)
    assert list(cleaned.rejected["reason"]) == [reason]
    assert len(cleaned.orders) == 1


def test_clean_counts_a_repeated_row_once() -> None:
    assert len(sales.clean(rows({}), max_rejected=0).orders) == 1


def test_clean_refuses_a_file_of_bad_rows() -> None:
    with pytest.raises(ValueError, match=r"50.0% of 2 rows are unusable, more than 10.0%"):
        sales.clean(rows({"region": "?"}), max_rejected=0.1)


def test_by_month_has_every_region_and_a_sum() -> None:
    table = sales.by_month(sales.clean(rows({"order_id": "O-2", "region": "West"}), max_rejected=0).orders)
    assert table.to_dict("records") == [
        {"month": "2025-01", "North": 20.0, "East": 0.0, "South": 0.0, "West": 20.0, "total": 40.0}
    ]


def test_by_product_takes_the_best() -> None:
    orders = sales.clean(rows({"product": "mug", "quantity": "9"}), max_rejected=0).orders
    assert sales.by_product(orders, top=1).to_dict("records") == [{"product": "mug", "pieces": 9, "revenue": 90.0}]


def test_export_writes_a_file_a_region() -> None:
    folder = sales.export(sales.clean(rows({"region": "East"}), max_rejected=0).orders)
    assert sorted(file.name for file in folder.iterdir()) == ["east.parquet", "north.parquet"]


def test_report_is_markdown() -> None:
    cleaned = sales.clean(rows({"region": "?"}), max_rejected=0.5)
    path = sales.report(
        sales.by_month(cleaned.orders), sales.by_product(cleaned.orders, top=3), cleaned.rejected, "Sales", "EUR"
    )
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# Sales\n\nRevenue 20.00 EUR, best month 2025-01.\n")
    assert "| unknown region | 1 |" in text
