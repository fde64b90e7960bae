"""The gate that does not care who else uses the machine: instructions per item, against the stored budget."""

import instructions
import report


def test_no_kernel_costs_fifteen_percent_more_instructions() -> None:
    verdicts = instructions.judged()
    for verdict in verdicts:
        report.add(
            report.Row(
                f"instructions: {verdict.name}",
                "in",
                verdict.count,
                verdict.budget,
                None,
                None if not verdict.budget else verdict.count / verdict.budget,
                f"< budget + {verdict.tolerance:.0%}",
                verdict.is_good,
            )
        )
    bad = [str(verdict) for verdict in verdicts if not verdict.is_good]
    assert not bad, "\n".join(bad)
