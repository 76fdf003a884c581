"""What of a cell its author has hidden: by folding it in Jupyter, or by a tag."""

from nbformat import NotebookNode

CELL_TAGS = {"hidden", "hide", "hide-cell", "remove-cell"}
SOURCE_TAGS = {"hide-input", "remove-input"}
OUTPUT_TAGS = {"hide-output", "remove-output"}


def without_hidden(cell: NotebookNode) -> NotebookNode:
    """Return a copy of a cell without what is hidden of it; an error is always shown, with the code that raised it."""
    if any(output.output_type == "error" for output in cell.get("outputs", [])):
        return cell
    tags = {str(tag).replace("_", "-") for tag in cell.metadata.get("tags", [])}
    folded = cell.metadata.get("jupyter", {})
    everything = bool(tags & CELL_TAGS) or cell.metadata.get("hidden") is True
    source = everything or tags & SOURCE_TAGS or cell.metadata.get("hide_input") or folded.get("source_hidden")
    outputs = everything or tags & OUTPUT_TAGS or folded.get("outputs_hidden")
    hidden: dict[str, object] = {"source": ""} if source else {}
    if outputs and "outputs" in cell:
        hidden |= {"outputs": []}
    return NotebookNode({**cell, **hidden})
