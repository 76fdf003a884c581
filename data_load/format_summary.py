"""Which formats the annotations came in and what of them could not be taken, as tables for the report."""

from collections.abc import Sequence

from loaded_source import LoadedSource


def formats_table(sources: Sequence[LoadedSource]) -> str:
    """Markdown table: each source with its format, images, annotations and classes."""
    rows = [
        f"| {_cell(one.url)} | {one.format} | {len(one.images):,} | {len(one.dataset.images):,} "
        f"| {len(one.dataset.annotations):,} | {_cell(', '.join(one.dataset.class_names[:8]))}{_more(one)} |"
        for one in sources
    ]
    header = "| Annotations from | Format | Image files | Images annotated | Annotations | Classes |"
    return "\n".join([header, "|---|---|---:|---:|---:|---|", *rows, "", left_out_text(sources)])


def left_out_text(sources: Sequence[LoadedSource]) -> str:
    """Markdown list of what could not be taken, or a sentence that there is nothing."""
    lines = [
        f"- {count:,} {_cell(what)} ({_cell(one.url)})"
        for one in sources
        for what, count in sorted(one.left_out.items())
    ]
    return (
        "\n".join(["Left out, because COCO has no place for it or it is of no use:", "", *lines])
        if lines
        else ("Every annotation was taken.")
    )


def _more(one: LoadedSource) -> str:
    count = len(one.dataset.class_names) - 8
    return f" and {count} more" if count > 0 else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
