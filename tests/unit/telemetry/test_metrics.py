"""Metrics: what is exposed, and that it stays small and true."""

import re
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from runai_operator.telemetry.metrics import CALL_CLASSES, PHASES, Metrics

DOCUMENTATION = Path(__file__).parents[3] / "docs" / "metrics.md"


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def metrics(clock):
    return Metrics("1.2.3", clock=clock)


def use_everything(metrics):
    """Each method once, so that every series exists."""
    metrics.queue_depth("user", 3)
    metrics.queue_waited("user", 0.2)
    metrics.reconciled("Create", "ok", 0.3)
    metrics.bug()
    call = metrics.runai_call("default")
    call("create", 202, 0.1)
    call("create", "timeout", 30.0)
    metrics.circuit("default", "writes", up=True)
    metrics.kube_write("status", "ok")
    metrics.event("sent")
    metrics.polled("default", "delta", "ok", 0.1)
    metrics.status_age("default", 2.0)
    metrics.lists("default", True)
    metrics.list_lag("default", 2.0)
    metrics.workloads({("Running", "True"): 2})
    metrics.watch(established=True)
    metrics.deletions(1, 12.0)
    metrics.deletions_rate_limited("default", 3)
    metrics.reasons({"Running": 2})
    metrics.outstanding(1, 2.0)
    metrics.orphaned()
    metrics.loop_lag(0.001)
    metrics.tasks(40)


def value(metrics, name, **labels):
    return metrics.registry.get_sample_value(f"runai_operator_{name}", labels)


def workloads(metrics):
    return {
        (sample.labels["phase"], sample.labels["ready"]): sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == "runai_operator_workloads"
    }


def documented_form(family):
    """The family's row in the documentation."""
    labels = {label for sample in family.samples for label in sample.labels} - {"le"}
    name = {"counter": f"{family.name}_total", "info": f"{family.name}_info"}.get(family.type, family.name)
    shown = ", ".join(f"`{label}`" for label in sorted(labels))
    return f"| `{name}` | {family.type} | {shown} | {family.documentation} |"


def test_the_documentation_lists_exactly_the_metrics_that_are_exposed(metrics):
    use_everything(metrics)
    own = [family for family in metrics.registry.collect() if family.name.startswith("runai_operator_")]
    rows = [line for line in DOCUMENTATION.read_text().splitlines() if line.startswith("| `")]

    assert rows == [documented_form(family) for family in own]


@pytest.mark.parametrize(
    ("generate", "parse"),
    [
        pytest.param(generate_latest, parse_text, id="as Prometheus text"),
        pytest.param(generate_openmetrics, parse_openmetrics, id="as OpenMetrics"),
    ],
)
def test_what_is_exposed_can_be_read_back(metrics, generate, parse):
    use_everything(metrics)

    read = {sample.name: sample for family in parse(generate(metrics.registry).decode()) for sample in family.samples}

    assert read["runai_operator_workqueue_depth"].value == 3
    assert read["runai_operator_build_info"].labels == {"version": "1.2.3"}
    assert read["process_resident_memory_bytes"].value > 0
    assert read["runai_operator_reconcile_total"].labels == {"action": "Create", "result": "ok"}


def test_names_follow_the_conventions(metrics):
    """Own prefix, base units, and nothing but the usual process metrics beside our own."""
    use_everything(metrics)

    for family in metrics.registry.collect():
        assert re.match(r"runai_operator_|process_|python_(info|gc_)", family.name)
        if family.type == "histogram":
            assert family.name.endswith("_seconds")
        assert not family.name.endswith(("_ms", "_milliseconds", "_minutes"))
        assert not any(sample.name.endswith("_created") for sample in family.samples)


def test_counters_and_histograms_add_up(metrics):
    metrics.reconciled("Update", "ok", 0.2)
    metrics.reconciled("Update", "RunaiBusy", 7.0)
    call = metrics.runai_call("default")
    call("update", 409, 0.02)
    call("update", "409", 0.02)

    assert value(metrics, "reconcile_total", action="Update", result="ok") == 1
    assert value(metrics, "reconcile_total", action="Update", result="RunaiBusy") == 1
    assert value(metrics, "reconcile_time_seconds_bucket", action="Update", le="0.25") == 1
    assert value(metrics, "reconcile_time_seconds_sum", action="Update") == pytest.approx(7.2)
    assert value(metrics, "runai_requests_total", connection="default", operation="update", code="409") == 2


def test_workloads_of_phases_we_do_not_know_are_counted_together(metrics):
    metrics.workloads(
        {
            ("Running", "True"): 5,
            ("Suspending", "False"): 1,
            ("Levitating", "False"): 2,
            ("", "Unknown"): 3,
            ("Failed", ""): 4,
        }
    )

    assert workloads(metrics) == {
        ("Running", "True"): 5,
        ("Other", "False"): 3,
        ("None", "Unknown"): 3,
        ("Failed", "Unknown"): 4,
    }


def test_a_phase_that_nobody_is_in_any_more_goes_to_zero(metrics):
    metrics.workloads({("Pending", "False"): 2})
    metrics.workloads({("Running", "True"): 2})

    assert workloads(metrics) == {("Pending", "False"): 0, ("Running", "True"): 2}


def test_the_number_of_series_has_a_bound_whatever_run_ai_says(metrics):
    for number in range(1000):
        metrics.workloads({(f"Phase{number}", f"Ready{number}"): 1, (sorted(PHASES)[number % len(PHASES)], "True"): 1})

    assert len(workloads(metrics)) <= (len(PHASES) + 2) * 3


def reasons(metrics):
    return {
        sample.labels["reason"]: sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == "runai_operator_workloads_by_reason"
    }


def test_workloads_are_counted_by_the_reason_of_ready_and_the_reasons_have_a_bound(metrics):
    metrics.reasons({"InvalidSpec": 2, "": 1, "Invented": 3, "Contrived": 1})
    assert reasons(metrics) == {"InvalidSpec": 2, "None": 1, "Other": 4}

    metrics.reasons({"Running": 2})
    assert reasons(metrics) == {"InvalidSpec": 0, "None": 0, "Other": 0, "Running": 2}


def test_what_is_stalled_and_what_is_owed_for_longest_is_told(metrics):
    metrics.outstanding(3, 61.5)

    assert (value(metrics, "workloads_stalled"), value(metrics, "owed_oldest_seconds")) == (3, 61.5)


def test_the_age_of_what_is_shown_grows_while_nobody_polls(metrics, clock):
    metrics.runai_call("default")
    clock.now += 30
    assert value(metrics, "status_age_max_seconds", connection="default") == 30

    metrics.status_age("default", 1.5)
    assert value(metrics, "status_age_max_seconds", connection="default") == 1.5
    assert value(metrics, "status_age_seconds_count", connection="default") == 1

    clock.now += 60
    assert value(metrics, "status_age_max_seconds", connection="default") == 61.5


def test_only_a_complete_poll_resets_its_age(metrics, clock):
    metrics.runai_call("default")
    clock.now += 10
    metrics.polled("default", "sweep", "RunaiUnavailable", 5.0)
    assert value(metrics, "poll_age_seconds", connection="default", kind="sweep") == 10

    metrics.polled("default", "sweep", "ok", 1.0)
    clock.now += 7
    metrics.polled("default", "sweep", "RunaiUnavailable", 5.0)
    metrics.polled("default", "delta", "ok", 0.1)

    assert value(metrics, "poll_age_seconds", connection="default", kind="sweep") == 7
    assert value(metrics, "poll_age_seconds", connection="default", kind="delta") == 0
    assert value(metrics, "polls_total", connection="default", kind="sweep", result="RunaiUnavailable") == 2


def test_a_connection_is_up_while_every_class_of_calls_that_was_used_gets_through(metrics):
    metrics.runai_call("default")
    assert value(metrics, "connection_up", connection="default") == 0, "nothing has been tried"

    metrics.circuit("default", "lists", up=True)
    assert value(metrics, "connection_up", connection="default") == 1

    metrics.circuit("default", "writes", up=False)
    assert value(metrics, "connection_up", connection="default") == 0

    metrics.circuit("default", "writes", up=True)
    assert value(metrics, "connection_up", connection="default") == 1


def test_a_connection_whose_lists_cannot_be_read_is_not_up(metrics):
    metrics.circuit("default", "lists", up=True)
    metrics.lists("default", up=False)
    assert value(metrics, "connection_up", connection="default") == 0
    assert value(metrics, "circuit_open", connection="default", **{"class": "lists"}) == 0, "a 403 opens none"

    metrics.lists("default", up=True)
    assert value(metrics, "connection_up", connection="default") == 1


def test_an_open_circuit_breaker_shows_for_its_class_alone(metrics):
    metrics.runai_call("default")
    metrics.circuit("default", "writes", up=False)

    shown = {name: value(metrics, "circuit_open", connection="default", **{"class": name}) for name in CALL_CLASSES}

    assert shown == {"lists": 0, "lookups": 0, "reads": 0, "writes": 1}


def test_connections_are_measured_apart(metrics, clock):
    metrics.runai_call("default")
    clock.now += 10
    metrics.runai_call("other")
    clock.now += 5
    metrics.polled("default", "delta", "ok", 0.1)
    metrics.polled("other", "delta", "RunaiUnavailable", 0.1)
    metrics.circuit("default", "lists", up=True)
    metrics.circuit("other", "lists", up=False)
    metrics.deletions_rate_limited("other", 7)

    def of(connection):
        return (
            value(metrics, "poll_age_seconds", connection=connection, kind="delta"),
            value(metrics, "status_age_max_seconds", connection=connection),
            value(metrics, "connection_up", connection=connection),
            value(metrics, "deletions_rate_limited", connection=connection),
        )

    assert of("default") == (0, 15, 1, 0)
    assert of("other") == (5, 5, 0, 7)


def test_the_watch_is_one_or_zero(metrics):
    assert value(metrics, "watch_established") == 0

    metrics.watch(established=True)
    assert value(metrics, "watch_established") == 1

    metrics.watch(established=False)
    assert value(metrics, "watch_established") == 0


def test_two_operators_in_one_process_count_apart(metrics):
    other = Metrics("1.2.3")
    metrics.bug()

    assert value(metrics, "unexpected_errors_total") == 1
    assert value(other, "unexpected_errors_total") == 0
