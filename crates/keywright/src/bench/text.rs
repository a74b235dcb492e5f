//! What was measured, for a person at a terminal.

use std::fmt::{self, Write as _};

use comfy_table::{CellAlignment, Table, presets};

use super::ramp::Verdict;
use super::report::{Quantiles, RampReport, Report};

/// The widest bar of the text histogram.
const BAR: u64 = 40;

/// One server at length, several side by side.
pub(super) fn to_text(reports: &[Report]) -> String {
    let mut text = match reports {
        [one] => alone(one),
        several => compared(several),
    };
    text.truncate(text.trim_end().len());
    text
}

fn alone(report: &Report) -> String {
    let mut text = head(report);
    if report.nothing_succeeded() {
        return text;
    }
    text.push('\n');
    text.push_str(&times(report));
    text.push('\n');
    let most = report.histogram.iter().map(|bucket| bucket.count).max().unwrap_or(1);
    for bucket in &report.histogram {
        let bar = (bucket.count * BAR).div_ceil(most);
        let bar = "#".repeat(usize::try_from(bar).unwrap_or_default());
        let _ = writeln!(text, "<= {:>9} ms {bar} {}", ms(bucket.up_to_us), bucket.count);
    }
    if let Some(ramp) = &report.ramp {
        text.push('\n');
        text.push_str(&climbed(ramp));
    }
    text
}

fn compared(reports: &[Report]) -> String {
    let mut text = String::new();
    for report in reports {
        text.push_str(&head(report));
    }
    let mut table = blank(&["", "achieved/s", "errors", "p50 ms", "p90", "p99", "p99.9", "max"]);
    for report in reports {
        let Quantiles { p50, p90, p99, p999, max } = report.latency_us;
        let mut row = vec![report.name.clone(), format!("{:.1}", report.rate.achieved)];
        row.push(report.failed().to_string());
        row.extend([p50, p90, p99, p999, max].map(ms));
        table.add_row(row);
    }
    let _ = writeln!(text, "\n{}", lines(&table));
    for report in reports {
        if let Some(ramp) = &report.ramp {
            let _ = write!(text, "\n{}\n{}", report.name, climbed(ramp));
        }
    }
    text
}

fn head(report: &Report) -> String {
    let mut text = format!("{} at {}", report.scenario.name(), report.name);
    if report.name != report.issuer {
        let _ = write!(text, " ({})", report.issuer);
    }
    text.push_str(if report.interrupted { ", interrupted\n" } else { "\n" });
    let _ = writeln!(
        text,
        "offered {}/s, achieved {:.1}/s over {:.1} s on {} connections",
        report.rate.offered, report.rate.achieved, report.duration_s, report.connections
    );
    let _ = writeln!(text, "ok {}, errors {}", report.requests.ok, report.failed());
    for (kind, count) in &report.requests.errors {
        let _ = writeln!(text, "  {count:>8}  {kind}");
    }
    for part in &report.left_out {
        let _ = writeln!(text, "left out: {part}");
    }
    text
}

/// The percentiles of the whole and, where a turn has more than one kind of request, of each.
fn times(report: &Report) -> String {
    let mut text = String::new();
    let steps = if report.steps.len() > 1 { Some(&report.steps) } else { None };
    let longest = steps.into_iter().flatten().map(|(step, _)| step.len()).max();
    let width = longest.unwrap_or_default().max("latency".len());
    let titles = ["p50", "p90", "p99", "p99.9", "max"].map(|title| format!("{title:>10}"));
    let _ = writeln!(text, "{:<width$} {}", "ms", titles.concat());
    let _ = writeln!(text, "{:<width$} {}  since due", "latency", report.latency_us);
    let _ = writeln!(text, "{:<width$} {}  since sent", "service", report.service_us);
    for (step, times) in steps.into_iter().flatten() {
        let _ = writeln!(text, "{step:<width$} {}  {} times", times.quantiles_us, times.ok);
    }
    text
}

fn climbed(ramp: &RampReport) -> String {
    let mut table = blank(&["offered/s", "achieved/s", "p50 ms", "p99 ms", "errors", ""]);
    for step in &ramp.steps {
        table.add_row([
            step.offered.to_string(),
            format!("{:.1}", step.achieved),
            ms(step.p50_us),
            ms(step.p99_us),
            step.errors.to_string(),
            why(step.verdict).to_owned(),
        ]);
    }
    let bound = ms(ramp.max_p99_us);
    let held = match ramp.sustained_rate {
        Some(rate) => format!("highest sustained rate: {rate}/s with p99 within {bound} ms"),
        None => format!("no rate was sustained with p99 within {bound} ms"),
    };
    format!("{}\n{held}\n", lines(&table))
}

fn why(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Sustained => "sustained",
        Verdict::Behind => "behind: a backlog had grown",
        Verdict::Errors => "errors",
        Verdict::Slow => "slow: p99 beyond the bound",
    }
}

/// Numbers to the right, words to the left.
fn blank(headings: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(headings);
    for (column, heading) in table.column_iter_mut().zip(headings) {
        if !heading.is_empty() {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn lines(table: &Table) -> String {
    let lines = table.lines().map(|line| line.trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

impl fmt::Display for Quantiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for value in [self.p50, self.p90, self.p99, self.p999, self.max] {
            write!(f, "{:>10}", ms(value))?;
        }
        Ok(())
    }
}

fn ms(us: u64) -> String {
    format!("{}.{:03}", us / 1000, us % 1000)
}

#[cfg(test)]
mod tests {
    use super::super::http::Failure;
    use super::super::report::samples::{ramp, report};
    use super::*;

    #[track_caller]
    fn expect_lines(text: &str, wanted: &[&str]) {
        for line in wanted {
            assert!(text.lines().any(|found| found == *line), "{line}\n{text}");
        }
    }

    #[test]
    fn the_text_says_what_happened() {
        let refused = Failure::Refused(400, Some("invalid_grant".to_owned()));
        let outcomes = vec![(1, Ok(())), (3, Ok(())), (3, Ok(())), (9, Err(refused))];
        let mut report = report(outcomes);
        report.left_out.push("code: no person".to_owned());
        expect_lines(
            &to_text(&[report]),
            &[
                "client-credentials at https://a.example",
                "offered 4/s, achieved 3.0/s over 1.0 s on 2 connections",
                "ok 3, errors 1",
                "         1  400 invalid_grant",
                "left out: code: no person",
                "<=     1.024 ms #################### 1",
                "<=     4.096 ms ######################################## 2",
            ],
        );
    }

    #[test]
    fn without_a_success_there_are_no_latencies_to_show() {
        let report = report(vec![(1, Err(Failure::Connect))]);
        assert!(report.nothing_succeeded());
        assert!(!to_text(&[report]).contains("p50"));
    }

    #[test]
    fn several_are_compared_in_one_table() {
        let mut other = report(vec![(5, Ok(()))]);
        other.name = "other".to_owned();
        let text = to_text(&[report(vec![(1, Ok(()))]), other]);
        let row = |name: &str, p50: &str| {
            text.lines().any(|line| line.trim().starts_with(name) && line.contains(p50))
        };
        assert!(row("https://a.example", " 1.000 "), "{text}");
        assert!(row("other", " 5.00"), "{text}");
        expect_lines(&text, &["client-credentials at other (https://a.example)"]);
    }

    #[test]
    fn a_ramp_ends_in_one_number() {
        let mut report = report(vec![(1, Ok(()))]);
        report.ramp = Some(ramp());
        let text = to_text(&[report]);
        expect_lines(&text, &["highest sustained rate: 125/s with p99 within 100.000 ms"]);
        assert!(text.contains("slow: p99 beyond the bound"), "{text}");
    }
}
