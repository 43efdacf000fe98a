"""The steps of `sales.yaml`: tables in, tables and a report out."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import NamedTuple

import pandas as pd

DATA = Path(__file__).resolve().parent.parent / "data"
REGIONS = ("North", "East", "South", "West")


class Cleaned(NamedTuple):
    """Orders that can be counted on, and the rows that were left out, each with its reason."""

    orders: pd.DataFrame
    rejected: pd.DataFrame


def read(source: str) -> pd.DataFrame:
    """The rows of a CSV file in `pipelines/data`, every cell as the text that stands there."""
    return pd.read_csv(DATA / source, dtype=str, keep_default_na=False)


def clean(rows: pd.DataFrame, max_rejected: float) -> Cleaned:
    """Mend what can be mended, drop repeated orders, and set aside the rows that remain unusable.

    Raises ValueError when more than `max_rejected` of the rows are unusable: then the file is wrong, not the rows.
    """
    rows = rows.drop_duplicates()
    orders = pd.DataFrame(
        {
            "order_id": rows["order_id"],
            "date": _dates(rows["date"]),
            "region": rows["region"].str.strip().str.capitalize(),
            "product": rows["product"],
            "quantity": pd.to_numeric(rows["quantity"], errors="coerce"),
            "unit_price": _prices(rows["unit_price"]),
        }
    )
    reasons = _reasons(orders)
    usable = reasons == ""
    if (~usable).mean() > max_rejected:
        raise ValueError(f"{(~usable).mean():.1%} of {len(rows)} rows are unusable, more than {max_rejected:.1%}")
    print(f"{usable.sum()} orders, {(~usable).sum()} rejected rows")
    orders = orders[usable].astype({"quantity": "int64"}).reset_index(drop=True)
    orders["total"] = (orders["quantity"] * orders["unit_price"]).round(2)
    return Cleaned(orders, rows[~usable].assign(reason=reasons[~usable]).reset_index(drop=True))


def by_month(orders: pd.DataFrame) -> pd.DataFrame:
    """Revenue by month and region: a row a month, a column a region, and their sum."""
    month = orders["date"].dt.strftime("%Y-%m").rename("month")
    table = orders.pivot_table(index=month, columns="region", values="total", aggfunc="sum", fill_value=0.0)
    table = table.reindex(columns=list(REGIONS), fill_value=0.0).round(2)
    return table.assign(total=table.sum(axis=1).round(2)).rename_axis(columns=None).reset_index()


def by_product(orders: pd.DataFrame, top: int) -> pd.DataFrame:
    """The `top` products by revenue, with the number of pieces sold; equals stand in the order of their names."""
    table = orders.groupby("product", as_index=False).agg(pieces=("quantity", "sum"), revenue=("total", "sum"))
    return table.round(2).sort_values(["revenue", "product"], ascending=[False, True]).head(top).reset_index(drop=True)


def export(orders: pd.DataFrame) -> Path:
    """A folder with one Parquet file a region, for whoever loads them elsewhere."""
    folder = Path(tempfile.mkdtemp()) / "orders"
    folder.mkdir()
    for region, part in orders.groupby("region"):
        part.drop(columns="region").to_parquet(folder / f"{str(region).lower()}.parquet", index=False)
    return folder


def report(months: pd.DataFrame, products: pd.DataFrame, rejected: pd.DataFrame, title: str, currency: str) -> Path:
    """A Markdown file: revenue by month, the best products, and how many rows were left out and why."""
    reasons = rejected["reason"].value_counts().rename_axis("reason").reset_index(name="rows")
    lines = [
        f"# {title}",
        f"Revenue {months['total'].sum():,.2f} {currency}, best month {months.loc[months['total'].idxmax(), 'month']}.",
        "## By month and region",
        markdown(months),
        "## Best products",
        markdown(products),
        "## Rows left out",
        markdown(reasons) if len(reasons) else "None.",
    ]
    path = Path(tempfile.mkdtemp()) / "report.md"
    path.write_text("\n\n".join(lines) + "\n", encoding="utf-8")
    return path


def markdown(table: pd.DataFrame) -> str:
    """A table in Markdown; numbers to the right, with two decimals where they have any."""
    numeric = [pd.api.types.is_numeric_dtype(dtype) for dtype in table.dtypes]
    head = "| " + " | ".join(map(str, table.columns)) + " |"
    rule = "| " + " | ".join("---:" if number else "---" for number in numeric) + " |"
    rows = ["| " + " | ".join(map(_cell, row)) + " |" for row in table.itertuples(index=False)]
    return "\n".join([head, rule, *rows])


def _cell(value: object) -> str:
    return f"{value:,.2f}" if isinstance(value, float) else str(value)


def _dates(texts: pd.Series) -> pd.Series:
    # Two branches of the shop write two formats; anything else is not guessed at.
    iso = pd.to_datetime(texts, format="%Y-%m-%d", errors="coerce")
    return iso.fillna(pd.to_datetime(texts, format="%d.%m.%Y", errors="coerce"))


def _prices(texts: pd.Series) -> pd.Series:
    plain = texts.str.removeprefix("€").str.strip().str.replace(",", ".", regex=False)
    return pd.to_numeric(plain, errors="coerce")


def _reasons(orders: pd.DataFrame) -> pd.Series:
    """Why each row is unusable; the first reason when there are several, empty when there is none."""
    checks = {
        "no such date": orders["date"].isna(),
        "unknown region": ~orders["region"].isin(REGIONS),
        "no whole quantity": orders["quantity"].isna() | (orders["quantity"] % 1 != 0),
        "quantity below one": orders["quantity"] < 1,
        "no price": orders["unit_price"].isna(),
    }
    reasons = pd.Series("", index=orders.index)
    for reason, failed in checks.items():
        reasons = reasons.mask((reasons == "") & failed, reason)
    return reasons
