//! `--svg`: the curve of latencies by percentile and, after a ramp, latencies by rate.
//!
//! The frame with its colours for light and dark is `chart/frame.svg`; here are the places. A log
//! axis for latencies, because a tail is ten or a hundred times the median; percentiles by the
//! number of nines, because that is where servers differ.

mod scale;

use std::fmt::Write as _;

use self::scale::{Scale, decades, steps};
use super::ramp::Verdict;
use super::report::{RampReport, Report, Step};

const FRAME: &str = include_str!("chart/frame.svg");
const WIDTH: f64 = 880.0;
const LEFT: f64 = 72.0;
const RIGHT: f64 = 844.0;
const PLOT_HEIGHT: f64 = 300.0;
/// Below the plot: the labels of its axis and some air.
const FOOT: f64 = 68.0;
const LINE: f64 = 22.0;
/// As many as there are in the frame; then they come again, dashed.
const COLOURS: usize = 8;
/// Where the axis of percentiles has labels.
const NINES: [f64; 7] = [0.0, 50.0, 90.0, 99.0, 99.9, 99.99, 99.999];

/// Draws what was measured; empty plots where nothing succeeded.
pub(super) fn to_svg(reports: &[Report]) -> String {
    let title = reports.first().map(|report| report.scenario.name()).unwrap_or_default();
    let mut drawing = Drawing { body: String::new(), y: 40.0 };
    drawing.text(LEFT, "title", &format!("{title}: latency by percentile"));
    drawing.y += LINE;
    drawing.text(LEFT, "", &subtitle(reports));
    drawing.percentiles(reports);
    if reports.iter().any(|report| report.ramp.is_some()) {
        drawing.y += 24.0;
        drawing.text(LEFT, "title", &format!("{title}: latency by offered rate"));
        drawing.y += LINE;
        let what = "p99 thick, p50 thin; filled where every bound was kept, hollow where not";
        drawing.text(LEFT, "", what);
        drawing.rates(reports);
    }
    let height = format!("{:.0}", drawing.y);
    FRAME
        .replace("{width}", &format!("{WIDTH:.0}"))
        .replace("{height}", &height)
        .replace("{title}", &escape(&format!("{title}: latency")))
        .replace("{body}", &drawing.body)
}

fn subtitle(reports: &[Report]) -> String {
    let connections = reports.first().map_or(0, |report| report.connections);
    let mut rates: Vec<String> =
        reports.iter().map(|report| format!("{}/s", report.rate.offered)).collect();
    rates.dedup();
    format!("{} on {connections} connections, counted from when each was due", rates.join(" and "))
}

/// The paper, from the top down.
struct Drawing {
    body: String,
    y: f64,
}

/// A plot's place and its two scales.
struct Plot {
    x: Scale,
    y: Scale,
}

impl Drawing {
    fn percentiles(&mut self, reports: &[Report]) {
        let drawn = || reports.iter().flat_map(|report| &report.percentiles);
        let nines = reports.iter().map(|report| depth(report, 100.0)).fold(1.0, f64::max);
        self.legend(reports);
        let ticks: Vec<_> = NINES.into_iter().filter(|nine| rank(*nine) <= nines).collect();
        let labels = ticks.into_iter().map(|nine| (rank(nine), format!("{nine} %")));
        let latencies = drawn().map(|point| ms(point.latency_us));
        let plot = self.plot((0.0, nines), labels, "percentile", latencies);
        for (at, report) in reports.iter().enumerate() {
            let points = report.percentiles.iter().map(|point| {
                let depth = depth(report, point.percentile);
                (plot.x.at(depth), plot.y.at(ms(point.latency_us).log10()))
            });
            self.curve(at, "", points);
        }
    }

    fn rates(&mut self, reports: &[Report]) {
        let ramps: Vec<(usize, &RampReport)> = reports
            .iter()
            .enumerate()
            .filter_map(|(at, report)| Some((at, report.ramp.as_ref()?)))
            .collect();
        let all = || ramps.iter().flat_map(|(_, ramp)| &ramp.steps);
        let greatest = all().map(|step| step.offered).fold(1.0, f64::max);
        self.y += 6.0;
        let ticks = steps(greatest);
        let end = ticks.last().copied().unwrap_or(greatest);
        let labels = ticks.into_iter().map(|tick| (tick, format!("{tick}")));
        let bound = ramps.first().map_or(0.0, |(_, ramp)| ms(ramp.max_p99_us));
        let latencies = all().flat_map(|step| [ms(step.p50_us), ms(step.p99_us)]).chain([bound]);
        let plot = self.plot((0.0, end), labels, "offered, a second", latencies);
        let level = plot.y.at(bound.log10());
        self.line("bound", (LEFT, level), (RIGHT, level));
        let text = format!("bound of p99: {bound} ms");
        self.text_at((LEFT + 6.0, level - 6.0), "bound", &text);
        for (at, ramp) in ramps {
            let steps = last_of_each_rate(&ramp.steps);
            let place = |step: &Step, us| (plot.x.at(step.offered), plot.y.at(ms(us).log10()));
            self.curve(at, "thin", steps.iter().map(|step| place(step, step.p50_us)));
            self.curve(at, "", steps.iter().map(|step| place(step, step.p99_us)));
            for step in steps {
                let (x, y) = place(step, step.p99_us);
                let kept = if step.verdict == Verdict::Sustained { "held" } else { "missed" };
                let colour = at % COLOURS;
                let _ = writeln!(
                    self.body,
                    r#"<circle class="dot s{colour} {kept}" cx="{x:.1}" cy="{y:.1}" r="3.5"/>"#
                );
            }
        }
    }

    /// A line for each server: its colour, its name, its figures.
    fn legend(&mut self, reports: &[Report]) {
        self.y += 8.0;
        for (at, report) in reports.iter().enumerate() {
            self.y += LINE;
            let level = self.y - 4.0;
            self.curve(at, "", [(LEFT, level), (LEFT + 26.0, level)].into_iter());
            self.text(LEFT + 36.0, "name", &shortened(&report.name));
            let mut figures = format!(
                "p50 {} ms, p99 {} ms, {:.0}/s achieved",
                figure(ms(report.latency_us.p50)),
                figure(ms(report.latency_us.p99)),
                report.rate.achieved,
            );
            let failed = report.failed();
            if failed > 0 {
                let _ = write!(figures, ", {failed} errors");
            }
            if let Some(ramp) = &report.ramp {
                match ramp.sustained_rate {
                    Some(rate) => figures = format!("{figures}; sustains {rate}/s"),
                    None => figures.push_str("; no rate sustained"),
                }
            }
            self.text(RIGHT, "end", &figures);
        }
        self.y += 10.0;
    }

    /// Grid, axes and labels; moves down past them.
    fn plot(
        &mut self,
        x_values: (f64, f64),
        x_labels: impl Iterator<Item = (f64, String)>,
        x_title: &str,
        latencies: impl Iterator<Item = f64>,
    ) -> Plot {
        let (mut least, mut greatest) = (f64::INFINITY, 0.0);
        for latency in latencies {
            (least, greatest) = (f64::min(least, latency), f64::max(greatest, latency));
        }
        let ticks = if greatest > 0.0 { decades(least, greatest) } else { decades(1.0, 10.0) };
        let (top, bottom) = (self.y + 24.0, self.y + 24.0 + PLOT_HEIGHT);
        let edge = |tick: Option<&f64>| tick.map_or(0.0, |tick| tick.log10());
        let y = Scale::new((edge(ticks.first()), edge(ticks.last())), (bottom, top));
        let x = Scale::new(x_values, (LEFT, RIGHT));
        for tick in ticks {
            let level = y.at(tick.log10());
            self.line("grid", (x.from(), level), (x.to(), level));
            self.text_at((LEFT - 10.0, level + 4.0), "end", &figure(tick));
        }
        self.text_at((LEFT - 10.0, top - 14.0), "end", "ms");
        for (value, label) in x_labels {
            let place = x.at(value);
            self.line("grid", (place, top), (place, bottom));
            self.text_at((place, bottom + 20.0), "middle", &label);
        }
        self.line("axis", (LEFT, bottom), (RIGHT, bottom));
        self.text_at((RIGHT, bottom + 40.0), "end", x_title);
        self.y = bottom + FOOT;
        Plot { x, y }
    }

    fn curve(&mut self, at: usize, class: &str, points: impl Iterator<Item = (f64, f64)>) {
        let points: Vec<_> = points.map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        if points.is_empty() {
            return;
        }
        let again = if at < COLOURS { "" } else { " again" };
        let (colour, points) = (at % COLOURS, points.join(" "));
        let _ = writeln!(
            self.body,
            r#"<polyline class="curve s{colour} {class}{again}" points="{points}"/>"#
        );
    }

    fn line(&mut self, class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        let _ = writeln!(
            self.body,
            r#"<line class="{class}" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}"/>"#
        );
    }

    fn text(&mut self, x: f64, class: &str, text: &str) {
        self.text_at((x, self.y), class, text);
    }

    fn text_at(&mut self, (x, y): (f64, f64), class: &str, text: &str) {
        let text = escape(text);
        let _ = writeln!(self.body, r#"<text class="{class}" x="{x:.1}" y="{y:.1}">{text}</text>"#);
    }
}

/// How many nines: 90 % is 1, 99 % is 2.
fn rank(percentile: f64) -> f64 {
    (100.0 / (100.0 - percentile).max(1e-9)).log10()
}

/// The same for a point of a report: its slowest turn is one of as many as there were.
fn depth(report: &Report, percentile: f64) -> f64 {
    let count = u32::try_from(report.requests.ok).map_or(f64::MAX, f64::from);
    rank(percentile).min(count.max(1.0).log10())
}

/// By rate; of a rate that was tried twice, the second time decides.
fn last_of_each_rate(steps: &[Step]) -> Vec<&Step> {
    let mut last: Vec<&Step> = Vec::new();
    for step in steps {
        last.retain(|kept| (kept.offered - step.offered).abs() > 1e-9);
        last.push(step);
    }
    last.sort_by(|a, b| a.offered.total_cmp(&b.offered));
    last
}

fn ms(us: u64) -> f64 {
    f64::from(u32::try_from(us).unwrap_or(u32::MAX)).max(1.0) / 1000.0
}

/// Three significant digits are more than enough.
fn figure(value: f64) -> String {
    let decimals = match value {
        value if value >= 100.0 => 0,
        value if value >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{value:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches(['0']).trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// A name that leaves room for the figures beside it.
fn shortened(name: &str) -> String {
    const MOST: usize = 44;
    if name.chars().count() <= MOST {
        return name.to_owned();
    }
    name.chars().take(MOST - 1).chain(['\u{2026}']).collect()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::super::http::Failure;
    use super::super::report::samples::{ramp, report};
    use super::*;

    fn well_formed(svg: &str) {
        let opened = svg.matches('<').count() - svg.matches("</").count();
        let closed = svg.matches("/>").count() + svg.matches("</").count();
        assert_eq!(opened, closed, "{svg}");
        assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"), "{svg}");
        for left in ["{", "NaN", "inf"] {
            let body = svg.split("</style>").nth(1).unwrap();
            assert!(!body.contains(left), "{left}: {body}");
        }
        assert!(!svg.contains("http://") || svg.matches("http").count() == 1, "nothing is fetched");
    }

    #[test]
    fn each_server_has_a_curve_and_a_name() {
        let mut second = report((1..200).map(|ms| (ms, Ok(()))).collect());
        second.name = "<b> & \"c\"".to_owned();
        let mut first = report(vec![(1, Ok(())), (7, Err(Failure::Timeout))]);
        first.name = "first".to_owned();
        let svg = to_svg(&[first, second]);
        well_formed(&svg);
        assert!(svg.contains("&lt;b&gt; &amp; &quot;c&quot;"), "{svg}");
        for part in ["class=\"curve s0 \"", "class=\"curve s1 \"", ">99 %<", ", 1 errors<"] {
            assert!(svg.contains(part), "{part}\n{svg}");
        }
        assert!(!svg.contains("offered rate"));
    }

    #[test]
    fn a_ramp_has_a_plot_of_its_own() {
        let mut report = report(vec![(1, Ok(()))]);
        report.name = "one".to_owned();
        report.ramp = Some(ramp());
        let svg = to_svg(&[report]);
        well_formed(&svg);
        let count = |class: &str| svg.matches(&format!("<circle class=\"dot s0 {class}\"")).count();
        assert_eq!((count("held"), count("missed")), (2, 1));
        for part in ["bound of p99: 100 ms", "sustains 125/s", "offered, a second"] {
            assert!(svg.contains(part), "{part}\n{svg}");
        }
    }

    #[test]
    fn nothing_measured_is_an_empty_plot() {
        let mut nothing = report(vec![(1, Err(Failure::Connect))]);
        nothing.name = "x".repeat(100);
        well_formed(&to_svg(&[nothing]));
    }

    #[test]
    fn figures_are_short() {
        for (value, want) in
            [(0.05, "0.05"), (1.0, "1"), (12.34, "12.3"), (123.4, "123"), (500.0, "500")]
        {
            assert_eq!(figure(value), want);
        }
    }
}
