"""What modules exist, what needs what, and in which order."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from modules.definition import ModuleConfig, ModuleDefinition


class ModuleRegistry:
    """The definitions of all installed modules, by code.

    Filled while Django starts and read ever after; `generation` moves with every registration, so that what is
    derived from the registry can tell when to derive it again.
    """

    def __init__(self) -> None:
        self._definitions: dict[str, ModuleDefinition] = {}
        self._clashes: list[tuple[ModuleDefinition, ModuleDefinition]] = []
        self.generation = 0

    def register(self, definition: ModuleDefinition) -> ModuleDefinition:
        """Add a definition and return it.

        The second module with the same code is kept out and reported by the check `modules.E003`: start-up goes on,
        so that the check can say so in words.
        """
        known = self._definitions.get(definition.code)
        if known is None:
            self._definitions[definition.code] = definition
            self.generation += 1
        elif known != definition:
            self._clashes.append((known, definition))
        return definition

    @contextmanager
    def register_temporarily(self, *definitions: ModuleDefinition) -> Iterator[None]:
        """Have these modules installed for the length of a `with` block; what was there comes back after it."""
        before, clashes = dict(self._definitions), list(self._clashes)
        try:
            for definition in definitions:
                self.register(definition)
            yield
        finally:
            self._definitions, self._clashes = before, clashes
            self.generation += 1

    @property
    def clashes(self) -> tuple[tuple[ModuleDefinition, ModuleDefinition], ...]:
        """Pairs of different definitions that want the same code, the one in force first."""
        return tuple(self._clashes)

    def __contains__(self, code: object) -> bool:
        return code in self._definitions

    def __iter__(self) -> Iterator[ModuleDefinition]:
        """Yield every definition, what is required before what requires it."""
        return iter([self._definitions[code] for code in self.in_order(self._definitions)])

    def __len__(self) -> int:
        return len(self._definitions)

    def __getitem__(self, code: str) -> ModuleDefinition:
        return self._definitions[code]

    def get(self, code: str) -> ModuleDefinition | None:
        """Return the module's definition; None where it is not installed."""
        return self._definitions.get(code)

    def of_config(self, schema: type[ModuleConfig]) -> ModuleDefinition:
        """Return the module whose config this schema is. Raises LookupError where there is none."""
        for definition in self._definitions.values():
            if definition.config is schema:
                return definition
        raise LookupError(f"{schema.__name__} is the config of no installed module.")

    def in_order(self, codes: Iterable[str]) -> list[str]:
        """Return these codes, each after all that it requires; as registered where nothing decides."""
        wanted = set(codes)
        order: dict[str, None] = {}
        for code in self._definitions:
            if code in wanted:
                self._visit(code, order)
        return [code for code in order if code in wanted]

    def _visit(self, start: str, order: dict[str, None]) -> None:
        """Append what `start` requires, then `start`: depth first.

        By hand, so that no chain is too long for Python's stack. A cycle (which a check reports) ends where it closes.
        """
        open_codes = {start}
        stack = [(start, iter(self._definitions[start].requires))]
        while stack:
            code, requirements = stack[-1]
            for required in requirements:
                if required in self._definitions and required not in order and required not in open_codes:
                    open_codes.add(required)
                    stack.append((required, iter(self._definitions[required].requires)))
                    break
            else:
                stack.pop()
                order[code] = None

    def requirements_of(self, code: str) -> tuple[str, ...]:
        """Return every module that this one needs, also indirectly, in the order in which they must be switched on."""
        order: dict[str, None] = {}
        self._visit(code, order)
        return tuple(required for required in order if required != code)

    def direct_dependents_of(self, code: str) -> tuple[str, ...]:
        """Return the modules that require this one themselves, which need not be installed."""
        return tuple(definition.code for definition in self._definitions.values() if code in definition.requires)

    def dependents_of(self, code: str) -> tuple[str, ...]:
        """Return every module that needs this one, also indirectly, in the order in which they must be switched off."""
        direct: dict[str, list[str]] = {}
        for definition in self._definitions.values():
            for required in definition.requires:
                direct.setdefault(required, []).append(definition.code)
        found: set[str] = set()
        waiting = [code]
        while waiting:
            for dependent in direct.get(waiting.pop(), ()):
                if dependent not in found and dependent != code:
                    found.add(dependent)
                    waiting.append(dependent)
        return tuple(reversed(self.in_order(found)))

    def unknown_requirements_of(self, code: str) -> tuple[tuple[str, str], ...]:
        """Return (module, what it requires and is not installed) for the module and all that it needs."""
        return tuple(
            (needy, required)
            for needy in (*self.requirements_of(code), code)
            for required in self._definitions[needy].requires
            if required not in self._definitions
        )

    def can_run(self, code: str) -> bool:
        """Whether the module and all that it needs are installed."""
        return code in self._definitions and not self.unknown_requirements_of(code)

    def runnable(self) -> list[str]:
        """Return the codes of all modules that can run."""
        return [code for code in self._definitions if self.can_run(code)]

    def is_on(self, code: str, *, switched_on: bool) -> bool:
        """Whether a module is on where its row says `switched_on`: a core one always is, one that cannot run never."""
        return self.can_run(code) and (switched_on or self._definitions[code].is_core)

    def cycle(self) -> tuple[str, ...]:
        """Return one path of requirements that leads back to its start, e.g. (a, b, a); empty where there is none."""
        done: set[str] = set()
        for start in self._definitions:
            path: list[str] = []
            stack = [(start, iter(self._definitions[start].requires))] if start not in done else []
            path.extend(code for code, _ in stack)
            while stack:
                code, requirements = stack[-1]
                for required in requirements:
                    if required in path:
                        return (*path[path.index(required) :], required)
                    if required in self._definitions and required not in done:
                        stack.append((required, iter(self._definitions[required].requires)))
                        path.append(required)
                        break
                else:
                    stack.pop()
                    path.pop()
                    done.add(code)
        return ()


registry = ModuleRegistry()
