"""The history checker finds every kind of anomaly that is planted, and none in a good history."""

from history import REFUSED, UNKNOWN, Commit, Load, anomalies


def commit(name, began, ended, guards, writes=None, **more):
    return Commit(name, began, ended, frozenset(guards if writes is None else writes), guards, **more)


GOOD = (
    {"x": ["a", "b"], "y": ["a"]},
    [
        commit("a", 0, 1, {"x": None, "y": None}),
        commit("b", 2, 3, {"x": "a"}),
        commit("c", 2, 3, {"x": None}, outcome=REFUSED),
        commit("only reads", 4, 5, {"x": "b", "y": "a"}, writes=[]),
    ],
    [Load("x", 0.5, 0.6, None), Load("x", 1.5, 2.5, "a"), Load("y", 6, 7, "a")],
)


def test_a_good_history_has_no_anomaly():
    assert anomalies(*GOOD) == []


def test_a_lost_update_is_found():
    final = {"x": ["a", "b"]}
    commits = [commit("a", 0, 2, {"x": None}), commit("b", 0, 2, {"x": None})]
    assert "lost update" in anomalies(final, commits, [])[0]


def test_an_acknowledged_commit_that_is_gone_is_found():
    assert "lost" in anomalies({"x": []}, [commit("a", 0, 1, {"x": None})], [])[0]


def test_a_refused_commit_that_took_effect_is_found():
    assert "phantom" in anomalies({"x": ["a"]}, [commit("a", 0, 1, {"x": None}, outcome=REFUSED)], [])[0]


def test_a_half_done_transaction_is_found():
    half = commit("a", 0, 1, {"x": None, "y": None}, outcome=UNKNOWN)
    assert "half done" in anomalies({"x": ["a"], "y": []}, [half], [])[0]


def test_a_commit_done_twice_is_found():
    assert "twice" in anomalies({"x": ["a", "a"]}, [commit("a", 0, 1, {"x": None})], [])[0]


def test_a_half_seen_transaction_is_found():
    commits = [commit("a", 0, 9, {"x": None, "y": None})]
    loads = [Load("x", 1, 2, "a"), Load("y", 3, 4, None)]
    assert "no order" in anomalies({"x": ["a"], "y": ["a"]}, commits, loads)[0]


def test_a_stale_read_is_found():
    assert "no order" in anomalies({"x": ["a"]}, [commit("a", 0, 1, {"x": None})], [Load("x", 2, 3, None)])[0]


def test_a_load_of_something_that_was_rolled_back_is_found():
    found = anomalies({"x": ["b"]}, [commit("b", 0, 9, {"x": None})], [Load("x", 1, 2, "a")])
    assert "not in the final chain" in found[0]


def test_a_write_skew_through_a_table_only_read_is_found():
    commits = [commit("a", 0, 9, {"x": None, "y": None}, writes=["x"]), commit("b", 0, 9, {"x": None, "y": None}, writes=["y"])]
    assert "no order" in anomalies({"x": ["a"], "y": ["b"]}, commits, [])[0]


def test_transactions_in_opposite_orders_are_found():
    commits = [commit("a", 0, 9, {}, writes=["x", "y"]), commit("b", 0, 9, {}, writes=["x", "y"])]
    assert "no order" in anomalies({"x": ["a", "b"], "y": ["b", "a"]}, commits, [])[0]


def test_a_check_of_two_tables_at_states_that_never_were_together_is_found():
    commits = [commit("a", 0, 1, {"x": None, "y": None}), commit("r", 2, 3, {"x": "a", "y": None}, writes=[])]
    assert "no order" in anomalies({"x": ["a"], "y": ["a"]}, commits, [])[0]
