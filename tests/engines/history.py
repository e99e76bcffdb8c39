"""Decides whether a history of commits and loads is strictly serializable.

Every table is a list: a commit appends its own name to branch main of each table it writes, so the
final chains tell in which order commits took effect, and each load tells how far a chain had come.
A directed graph is made of what must come before what:

- the chain of each table orders its writers;
- a commit that required table X to be at `seen` comes after `seen` and before the next writer of X;
- a load comes after the last commit it saw and before the next one;
- what ended before something else began comes before it (real time).

A cycle means that no order of commits and loads one after the other explains what was seen: a lost
update, a half-seen transaction, a write skew or a stale read. This is the method of Elle, cut down to
append-only lists. It holds no client and no clock; `test_history.py` proves that it finds what it must.
"""

from collections import defaultdict, deque
from dataclasses import dataclass, field

COMMITTED = "committed"
REFUSED = "refused"
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Load:
    """One read of one table. `seen`: the last name in its chain, None when empty."""

    table: str
    began: float
    ended: float
    seen: str | None


@dataclass(frozen=True)
class Commit:
    """One attempt to commit. `guards`: table -> last name it was required to be at, None when empty."""

    name: str
    began: float
    ended: float
    writes: frozenset[str]
    guards: dict[str, str | None] = field(hash=False)
    outcome: str = COMMITTED


def anomalies(final: dict[str, list[str]], commits: list[Commit], loads: list[Load]) -> list[str]:
    """Everything wrong with the history, in words; an empty list is a proof."""
    found = _chain_faults(final, commits) + _load_faults(final, loads)
    return found or _order_faults(final, commits, loads)


def _chain_faults(final, commits) -> list[str]:
    found = []
    known = {commit.name: commit for commit in commits}
    for table, chain in final.items():
        if len(set(chain)) != len(chain):
            found.append(f"{table}: a commit is there twice")
        for at, name in enumerate(chain):
            commit = known.get(name)
            if commit is None or table not in commit.writes:
                found.append(f"{table}: nobody committed {name} to it")
            elif table in commit.guards and commit.guards[table] != (chain[at - 1] if at else None):
                found.append(f"{table}: lost update: {name} was based on {commit.guards[table]}, not on the one before it")
    for commit in commits:
        seen = {table for table in commit.writes if commit.name in final[table]}
        if commit.outcome == COMMITTED and seen != commit.writes:
            found.append(f"lost: {commit.name} was acknowledged and is missing in {sorted(commit.writes - seen)}")
        if commit.outcome == REFUSED and seen:
            found.append(f"phantom: {commit.name} was refused and is in {sorted(seen)}")
        if commit.outcome == UNKNOWN and seen and seen != commit.writes:
            found.append(f"half done: {commit.name} is only in {sorted(seen)} of {sorted(commit.writes)}")
    return found


def _load_faults(final, loads) -> list[str]:
    names = {table: set(chain) for table, chain in final.items()}
    return [
        f"{load.table}: a load saw {load.seen}, which is not in the final chain"
        for load in loads
        if load.seen is not None and load.seen not in names[load.table]
    ]


def _order_faults(final, commits, loads) -> list[str]:
    graph = defaultdict(set)
    following = {t: dict(zip([None, *chain], chain)) for t, chain in final.items()}
    done = {name for chain in final.values() for name in chain}
    spans = []
    for chain in final.values():
        for before, after in zip(chain, chain[1:]):
            graph[before].add(after)
    for commit in commits:
        # A commit that only checks has no name in a chain; its acknowledgement says it took place.
        if commit.name not in done and not (commit.outcome == COMMITTED and not commit.writes):
            continue
        ended = commit.ended if commit.outcome == COMMITTED else float("inf")
        spans.append((commit.name, commit.began, ended))
        for table, seen in commit.guards.items():
            _place(graph, commit.name, seen, following[table].get(seen))
    for at, load in enumerate(loads):
        node = f"load {at} of {load.table}"
        spans.append((node, load.began, load.ended))
        _place(graph, node, load.seen, following[load.table].get(load.seen))
    _real_time(graph, spans)
    return _cycle(graph)


def _place(graph, node, seen, following) -> None:
    if seen is not None:
        graph[seen].add(node)
    if following is not None and following != node:
        graph[node].add(following)


def _real_time(graph, spans) -> None:
    """Links what ended before something began, through one node per end so that edges stay few."""
    events = [(ended, 1, node) for node, _, ended in spans] + [(began, 0, node) for node, began, _ in spans]
    tick = None
    # At the same instant a beginning sorts before an end: those two overlap.
    for when, is_end, node in sorted(events):
        if is_end:
            now = ("until", when, node)
            graph[node].add(now)
            if tick is not None:
                graph[tick].add(now)
            tick = now
        elif tick is not None:
            graph[tick].add(node)


def _cycle(graph) -> list[str]:
    """Removes what has no predecessor, over and over; what stays contains a cycle."""
    incoming = defaultdict(int)
    for targets in graph.values():
        for target in targets:
            incoming[target] += 1
    ready = deque(node for node in list(graph) if incoming[node] == 0)
    left = set(graph) | set(incoming)
    while ready:
        node = ready.popleft()
        left.discard(node)
        for target in graph.get(node, ()):
            incoming[target] -= 1
            if incoming[target] == 0:
                ready.append(target)
    if not left:
        return []
    # Walk backwards inside what is left: every node there has a predecessor there.
    before = {target: node for node in left for target in graph.get(node, ()) if target in left}
    node, path = next(iter(before)), []
    while node not in path:
        path.append(node)
        node = before[node]
    names = [str(n) for n in path[path.index(node) :] if not isinstance(n, tuple)]
    return [f"no order explains: {' <- '.join(names[:12])}"]
