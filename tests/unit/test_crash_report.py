"""The totals that the docs keep of the crash matrix."""

from crash.report import Report, Row


def test_cases_of_one_kind_and_path_are_one_line_with_their_worst():
    report = Report(
        (
            Row("fault", "submit", "as is", "timeout on POST", True, 1, 1, 9.0),
            Row("kill", "submit", "as is", "create#1:before", True, 1, 1, 2.0),
            Row("kill", "submit", "the other way", "create#1:after", False, 2, 0, 3.25),
        )
    )

    assert [line.split(" | ") for line in report.totals().splitlines()[2:]] == [
        ["| kill", "submit", "2", "1", "2", "0 or 1", "3.2 |"],
        ["| fault", "submit", "1", "1", "1", "1", "9.0 |"],
        ["| **all**", "", "3", "2", "", "", " |"],
    ]


def test_the_whole_report_has_every_case_below_its_totals():
    report = Report((Row("kill", "submit", "as is", "create#1:before", True, 1, 1, 2.0),))
    text = report.markdown()

    assert report.totals() in text
    assert text.endswith("| kill | submit | as is | `create#1:before` | yes | 1 | 1 | 2.0 |\n")


def test_a_run_without_cases_has_a_report_too():
    assert "| **all** |  | 0 | 0 |" in Report().totals()
