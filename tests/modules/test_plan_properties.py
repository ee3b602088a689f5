"""What holds of every plan, over random modules, states and wishes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from modules.plans import Action, Obstacle, Plan, RowState, Wish, plan
from modules.registry import ModuleRegistry
from tests.modules.building import definition, registry_of


@dataclass(frozen=True)
class Case:
    """Modules, how they stand, and what is wanted of them."""

    requires: Mapping[str, tuple[str, ...]]
    core: frozenset[str]
    current: Mapping[str, RowState]
    wishes: tuple[Wish, ...]
    cascade: bool

    @property
    def registry(self) -> ModuleRegistry:
        """The modules, registered in the order of their names' reverse, so that nothing is in order by chance."""
        return registry_of(
            *(definition(code, *self.requires[code], is_core=code in self.core) for code in reversed(self.requires))
        )

    def plan(self, **changed: object) -> Plan:
        """Return the plan."""
        case = replace(self, **changed)  # type: ignore[arg-type]
        return plan(
            platform="kestrel",
            registry=case.registry,
            current=case.current,
            wishes=case.wishes,
            cascade=case.cascade,
        )

    def is_on(self, code: str, settings: Mapping[str, RowState] | None = None) -> bool:
        """Whether the module is on, said once more and simply."""
        settings = self.current if settings is None else settings
        return code in self.core or (code in settings and settings[code].is_enabled)

    def after(self, made: Plan) -> dict[str, RowState]:
        """Return how the modules stand once the plan is applied."""
        return {**self.current, **made.outcome}

    def needs(self, code: str) -> set[str]:
        """Return all that the module needs, found the slow way."""
        found: set[str] = set()
        todo = list(self.requires[code])
        while todo:
            required = todo.pop()
            if required not in found:
                found.add(required)
                todo += self.requires[required]
        return found

    def needed_by(self, code: str) -> set[str]:
        """Return all that need the module."""
        return {other for other in self.requires if code in self.needs(other)}

    def is_consistent(self, settings: Mapping[str, RowState]) -> bool:
        """Whether nothing is on without what it needs."""
        return all(
            self.is_on(required, settings)
            for code in self.requires
            if self.is_on(code, settings)
            for required in self.requires[code]
        )

    def made_consistent(self) -> "Case":
        """Return the same case in a state in which nothing is on without what it needs."""
        current = {code: RowState(is_enabled=self.is_on(code)) for code in self.requires}
        for code in self.requires:
            if current[code].is_enabled:
                current |= {required: RowState(is_enabled=True) for required in self.needs(code)}
        return replace(self, current=current)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw up to twelve modules without a cycle; a core module requires core modules only."""
    codes = [f"m{number}" for number in range(draw(st.integers(1, 12)))]
    core = draw(st.sets(st.sampled_from(codes), max_size=3))
    requires: dict[str, tuple[str, ...]] = {}
    for position, code in enumerate(codes):
        possible = [other for other in codes[:position] if code not in core or other in core]
        requires[code] = tuple(draw(st.lists(st.sampled_from(possible), unique=True, max_size=3))) if possible else ()
    return Case(
        requires=requires,
        core=frozenset(core),
        current=draw(st.dictionaries(st.sampled_from(codes), st.builds(RowState, is_enabled=st.booleans()))),
        wishes=tuple(
            draw(
                st.lists(
                    st.builds(
                        Wish,
                        module=st.sampled_from([*codes, "unknown"]),
                        is_enabled=st.sampled_from([True, False, None]),
                    ),
                    unique_by=lambda wish: wish.module,
                    max_size=5,
                )
            )
        ),
        cascade=draw(st.booleans()),
    )


examples = settings(max_examples=100, deadline=None)


@examples
@given(cases())
def test_plan__applied__leaves_nothing_wished_on_without_what_it_needs(case: Case) -> None:
    made = case.plan()
    if made.blockers:
        return
    after = case.after(made)
    for wish in case.wishes:
        if wish.is_enabled:
            assert {code for code in case.needs(wish.module) if not case.is_on(code, after)} == set()


@examples
@given(cases())
def test_plan__applied_to_a_consistent_state__leaves_a_consistent_state(case: Case) -> None:
    case = case.made_consistent()
    assert case.is_consistent(case.current)
    made = case.plan()
    if not made.blockers:
        assert case.is_consistent(case.after(made))


@examples
@given(cases())
def test_plan__without_blockers__fulfils_every_wish(case: Case) -> None:
    made = case.plan()
    if made.blockers:
        return
    after = case.after(made)
    for wish in case.wishes:
        if wish.is_enabled is not None:
            assert case.is_on(wish.module, after) is wish.is_enabled


@examples
@given(cases())
def test_plan__steps__switch_off_dependents_first_and_switch_on_requirements_first(case: Case) -> None:
    made = case.plan()
    place = {step.module: number for number, step in enumerate(made.steps)}
    assert len(place) == len(made.steps)
    for step in made.steps:
        moving = case.needs(step.module) & place.keys()
        if step.action is Action.ENABLE:
            assert all(place[required] < place[step.module] for required in moving)
        else:
            assert step.action is Action.DISABLE
            assert all(
                place[dependent] < place[step.module] for dependent in case.needed_by(step.module) & place.keys()
            )


@examples
@given(cases())
def test_plan__steps__on_a_consistent_state__pass_only_through_consistent_states(case: Case) -> None:
    case = case.made_consistent()
    made = case.plan()
    if made.blockers:
        return
    now = dict(case.current)
    for step in made.steps:
        now[step.module] = made.outcome[step.module]
        assert case.is_consistent(now)


@examples
@given(cases())
def test_plan__on_its_own_outcome__has_no_steps(case: Case) -> None:
    made = case.plan()
    if made.blockers:
        return
    again = case.plan(current=case.after(made))
    assert (again.steps, again.blockers, again.outcome) == ((), (), {})


@examples
@given(cases())
def test_plan__whatever_is_wished__moves_no_core_module(case: Case) -> None:
    made = case.plan()
    assert {step.module for step in made.steps} & case.core == set()
    refused = {wish.module for wish in case.wishes if wish.is_enabled is False} & case.core
    assert {blocker.module for blocker in made.blockers if blocker.code is Obstacle.CORE} == refused


@examples
@given(cases())
def test_plan__blockers__name_exactly_what_stands_in_the_way(case: Case) -> None:
    made = case.plan()
    wanted_on = {wish.module for wish in case.wishes if wish.is_enabled is True} & case.requires.keys()
    wanted_on |= {required for code in wanted_on for required in case.needs(code)}
    wanted_off = {wish.module for wish in case.wishes if wish.is_enabled is False} & case.requires.keys() - case.core
    expected = {
        (code, dependent)
        for code in wanted_off
        for dependent in case.needed_by(code)
        if dependent in wanted_on or (case.is_on(dependent) and not case.cascade and dependent not in wanted_off)
    }
    # What is wanted on and off at once comes from two wishes, of which the one that is wanted on is named.
    found = {(blocker.module, blocker.by) for blocker in made.blockers if blocker.code is Obstacle.REQUIRED_BY}
    assert found == expected
    unknown = {wish.module for wish in case.wishes if wish.is_enabled is not None} - case.requires.keys()
    assert {blocker.module for blocker in made.blockers if blocker.code is Obstacle.NOT_INSTALLED} == unknown
    assert len(set(made.blockers)) == len(made.blockers)
    assert all(blocker.detail for blocker in made.blockers)


@examples
@given(cases())
def test_plan__steps__move_nothing_that_is_neither_wished_nor_needed_nor_needing(case: Case) -> None:
    made = case.plan()
    wishes = {wish.module: wish.is_enabled for wish in case.wishes}
    on = {code for code, wanted in wishes.items() if wanted is True and code in case.requires}
    off = {code for code, wanted in wishes.items() if wanted is False and code in case.requires}
    assert made.outcome.keys() == {step.module for step in made.steps}
    for step in made.steps:
        assert case.is_on(step.module) is (step.action is Action.DISABLE)
        assert made.outcome[step.module].is_enabled is (step.action is Action.ENABLE)
        if step.action is Action.ENABLE:
            assert step.module in on or any(step.module in case.needs(code) for code in on)
        else:
            assert step.module in off or (case.cascade and any(step.module in case.needed_by(code) for code in off))


@examples
@given(cases())
def test_plan__causes__name_the_wish_that_is_the_cause(case: Case) -> None:
    made = case.plan()
    wishes = {wish.module: wish.is_enabled for wish in case.wishes}
    for step in made.steps:
        if step.cause == "requested":
            assert wishes[step.module] is (step.action is Action.ENABLE)
            continue
        assert step.module not in wishes or wishes[step.module] is None or made.blockers
        kind, _, cause = step.cause.rpartition(" ")
        if step.action is Action.ENABLE:
            assert kind == "required by"
            assert wishes[cause] is True
            assert step.module in case.needs(cause)
        else:
            assert kind == "requires"
            assert wishes[cause] is False
            assert cause in case.needs(step.module)


@examples
@given(cases())
def test_plan__equal_input__equal_digest(case: Case) -> None:
    assert case.plan().digest == case.plan().digest
    turned = dict(reversed(case.current.items()))
    assert case.plan(current=turned).digest == case.plan().digest


@examples
@given(cases(), cases())
def test_plan__digest__differs_as_soon_as_the_plan_does(case: Case, other: Case) -> None:
    one, two = case.plan(), case.plan(wishes=other.wishes, cascade=other.cascade)
    same = (one.steps, one.outcome) == (two.steps, two.outcome) and [
        (blocker.module, blocker.code, blocker.by) for blocker in one.blockers
    ] == [(blocker.module, blocker.code, blocker.by) for blocker in two.blockers]
    assert (one.digest == two.digest) is same


@examples
@given(cases(), st.sampled_from(["left", "right"]))
def test_plan__digest__does_not_heed_a_module_that_the_plan_does_not_touch(case: Case, side: str) -> None:
    made = case.plan()
    untouched = {
        code: RowState(is_enabled=setting.is_enabled, config={"side": side})
        for code, setting in case.current.items()
        if code not in made.outcome
    }
    assert case.plan(current={**case.current, **untouched}).digest == made.digest


@examples
@given(cases())
def test_plan__digest__heeds_how_a_touched_module_stood_before(case: Case) -> None:
    made = case.plan()
    for code in made.outcome:
        before = case.current.get(code, RowState())
        other = replace(before, config={**before.config, "moved": True})
        assert case.plan(current={**case.current, code: other}).digest != made.digest


@examples
@given(cases())
def test_plan__input__is_left_as_it_was(case: Case) -> None:
    before = {code: replace(setting) for code, setting in case.current.items()}
    case.plan()
    assert case.current == before
