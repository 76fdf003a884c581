"""A contract for import-linter: what the modules and rooms of a step may import of their own step."""

from collections.abc import Iterator

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output

LIBRARY = "sinara_lib"


class StepLayers(Contract):
    """Hold one step to its layers, top first; those of one layer (`a | b`) do not import each other.

    A step's folder is the working directory of its notebooks, so `data_load/coco_fetch.py` imports `data_sources`, not
    `data_load.data_sources`; for import-linter's own contracts that is a package from outside. Every module and room of
    the step must stand in a layer, so that a new one is placed when it is made. Other steps are out of sight.
    """

    step = fields.StringField()
    layers = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Collect one sentence for each import that climbs or leaves the step, and for each name without a layer."""
        step, layers = str(self.step), [str(layer).split("|") for layer in self.layers]
        depth = {name.strip(): number for number, layer in enumerate(layers) for name in layer}
        own = _names(graph, step)
        steps = {name for name in graph.modules if "." not in name and not graph.is_module_squashed(name)} - {LIBRARY}
        foreign = (steps | {name for other in steps for name in _names(graph, other)}) - own
        found = [f"{step}/{name} stands in no layer: give it one." for name in sorted(own - depth.keys())]
        found += [f"{name} stands in a layer but not in {step}/." for name in sorted(depth.keys() - own)]
        for importer, imported in _imports(graph, step):
            place, name = importer.split(".")[1], imported.split(".")[0]
            if name in foreign:
                found.append(f"{importer} imports {imported}, which is another step's, or a step's folder.")
            elif name in own and name != place and depth.get(name, -1) <= depth.get(place, -1):
                found.append(f"{importer} imports {imported}, which does not lie below it.")
        return ContractCheck(kept=not found, metadata={"found": found})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print what was found, a line each."""
        for line in check.metadata["found"]:
            output.print_error(f"- {line}", bold=False)
        output.new_line()


def _imports(graph: ImportGraph, step: str) -> Iterator[tuple[str, str]]:
    for importer in sorted(graph.find_descendants(step)):
        for imported in sorted(graph.find_modules_directly_imported_by(importer)):
            yield importer, imported


def _names(graph: ImportGraph, step: str) -> set[str]:
    """Return the plain names under which a step knows its own modules and rooms."""
    return {child.split(".")[1] for child in graph.find_children(step)}
