"""Figures as JSON for programs, Markdown and SVG for people."""

from __future__ import annotations

import json
from pathlib import Path

from bench.stage import Row, Table

_COLUMNS = {
    "requests_per_s": "requests/s",
    "requests_per_cpu_s": "requests per CPU-s",
    "mib_per_s": "MiB/s",
    "mib_per_cpu_s": "MiB per CPU-s",
    "added_p50_ms": "added p50 ms",
    "added_p99_ms": "added p99 ms",
    "added_p999_ms": "added p99.9 ms",
    "p50_ms": "p50 ms",
    "p99_ms": "p99 ms",
    "p999_ms": "p99.9 ms",
    "cpu_us": "CPU µs",
    "worker_us": "worker µs",
    "ledger_us": "ledger µs",
    "cpu_s_per_gib": "CPU s/GiB",
    "kib_each": "KiB each",
    "resident_mib": "resident MiB",
    "grown_mib": "grown MiB",
    "idle_core_share": "core used while idle",
    "core_share": "share of its core",
    "failed": "failed",
}
"""Figures in the order they are shown, with their headings; others are shown as named."""


def write(path: Path, facts: dict[str, str], tables: list[Table]) -> None:
    """Write ``path`` (JSON) and the same as ``.md`` and ``.svg`` beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    found = {"machine": facts, "tables": [table.as_json() for table in tables]}
    path.write_text(json.dumps(found, indent=1) + "\n")
    path.with_suffix(".svg").write_text(as_svg(tables))
    parts = [
        "# Bench",
        "",
        *(f"- {name}: {value}" for name, value in facts.items()),
        "",
        f"![figures]({path.with_suffix('.svg').name})",
        "",
        *(as_text(table) + "\n" for table in tables),
    ]
    path.with_suffix(".md").write_text("\n".join(parts))


def as_text(table: Table) -> str:
    """One scenario as a Markdown table of medians, with ratios to each peer."""
    names = list(_COLUMNS)
    names += sorted(
        {n for row in table.rows for s in row.samples for n in s} - set(names)
    )
    names = [n for n in names if any(row.median(n) is not None for row in table.rows)]
    lines = [
        f"## {table.scenario}",
        "",
        "| | " + " | ".join(_COLUMNS.get(name, name) for name in names) + " |",
        "| --- |" + " ---: |" * len(names),
    ]
    for row in table.rows:
        cells = [_shown(row.median(name)) for name in names]
        lines.append(f"| {row.label} | " + " | ".join(cells) + " |")
    lines += ["", *_ratios(table)]
    lines += [f"- {note}" for note in table.notes]
    return "\n".join(lines)


def _ratios(table: Table) -> list[str]:
    """Each gatekeep row beside each peer, by the table's figure and by CPU."""
    lines = []
    peers = [row for row in table.rows if not _is_ours(row)]
    figures = [table.figure]
    if table.figure == "requests_per_s":
        figures.append("requests_per_cpu_s")
    for row in filter(_is_ours, table.rows):
        for figure in figures:
            ours = row.median(figure)
            ratios = [
                f"{ours / theirs:.2f} × {peer.label}"
                for peer in peers
                if ours and (theirs := peer.median(figure))
            ]
            if ratios:
                heading = _COLUMNS.get(figure, figure)
                lines.append(f"- {row.label}, {heading}: {', '.join(ratios)}")
    return lines


def _is_ours(row: Row) -> bool:
    return row.label.startswith("gatekeep")


def _shown(value: float | None) -> str:
    if value is None:
        return ""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value == int(value) else f"{value:.3g}"


# --- the plot ---------------------------------------------------------------------

_WIDTH, _LABEL, _BAR, _GAP, _HEAD = 760, 170, 18, 26, 34


def as_svg(tables: list[Table]) -> str:
    """Bars of each table's figure: the median, with a line from minimum to maximum."""
    shapes: list[str] = []
    y = 8
    for table in tables:
        rows = [row for row in table.rows if row.median(table.figure) is not None]
        if not rows:
            continue
        highest = max(
            s[table.figure] for r in rows for s in r.samples if table.figure in s
        )
        scale = (_WIDTH - _LABEL - 110) / (highest or 1)
        unit = _COLUMNS.get(table.figure, table.figure)
        better = "more" if table.higher_is_better else "less"
        shapes.append(
            f'<text x="8" y="{y + 14}" class="h">{table.scenario}: {unit},'
            f" {better} is better</text>"
        )
        y += _HEAD - 8
        for row in rows:
            values = [s[table.figure] for s in row.samples if table.figure in s]
            median = row.median(table.figure) or 0.0
            middle = y + _BAR / 2
            low, high = _LABEL + min(values) * scale, _LABEL + max(values) * scale
            shapes += [
                f'<text x="{_LABEL - 8}" y="{middle + 4}" class="l">{row.label}</text>',
                f'<rect x="{_LABEL}" y="{y}" height="{_BAR}" width="{median * scale:.1f}"'
                f' class="{"us" if _is_ours(row) else "peer"}"/>',
                f'<path d="M{low:.1f} {middle}H{high:.1f}" class="r"/>',
                f'<text x="{max(high, _LABEL + median * scale) + 6:.1f}"'
                f' y="{middle + 4}">{_shown(median)}</text>',
            ]
            y += _GAP
        y += 12
    style = (
        "text{font:12px sans-serif;fill:#222}.h{font-weight:bold}.l{text-anchor:end}"
        ".us{fill:#2a6f97}.peer{fill:#b8c4cc}.r{stroke:#222;stroke-width:1.5}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{y}">'
        f'<style>{style}</style><rect width="100%" height="100%" fill="#fff"/>'
        + "".join(shapes)
        + "</svg>\n"
    )
