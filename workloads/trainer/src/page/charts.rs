//! The drawings of the page, as inline SVG. Colours are those of the style, in light and dark.

use vedette_forest::metrics::AtBudget;

use super::markup::{Text, paragraph};
use crate::picture::{Histogram, Picture};

const WIDTH: f64 = 900.;
const HEIGHT: f64 = 300.;
const LEFT: f64 = 56.;
const RIGHT: f64 = 16.;
const TOP: f64 = 28.;
const BOTTOM: f64 = 44.;

/// The scores of the holdout, and from where on they alert.
pub(super) fn histogram(picture: &Picture, alert_budget_per_million: f64) -> String {
    let Some(Histogram { ends: (low, high), bars, has_more, threshold }) = &picture.histogram else {
        return paragraph("No row was held out, or all rows have one score: there is nothing to draw.");
    };
    let most = bars.iter().map(|bar| bar.0).max().unwrap_or(1).max(1) as f64;
    let height = |rows: u64| (rows as f64 + 1.).log10() / (most + 1.).log10() * (HEIGHT - TOP - BOTTOM);
    let width = (WIDTH - LEFT - RIGHT) / bars.len() as f64;
    let bar = |(number, rows): (usize, u64), class: &str, share: f64| {
        let (x, height) = (LEFT + number as f64 * width, height(rows));
        let (y, width) = (HEIGHT - BOTTOM - height, width * share);
        format!("<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>\n")
    };
    let drawn = |of: fn(&(u64, u64)) -> u64, class: &'static str, share: f64| -> String {
        let rows = bars.iter().map(of).enumerate().filter(|(_, rows)| *rows > 0);
        rows.map(|it| bar(it, class, share)).collect()
    };
    let mut parts = vec![axes()];
    let powers = (0..=12).map(|power| 10_f64.powi(power)).take_while(|rows| *rows <= most);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a power of ten
    parts.extend(powers.map(|rows| tick_left(HEIGHT - BOTTOM - height(rows as u64), &format!("{rows}"))));
    parts.push(drawn(|bar| bar.0, "bar", 0.9));
    parts.push(drawn(|bar| bar.1, "anomalies", 0.45));
    let place = |score: f64| LEFT + (score - low) / (high - low) * (WIDTH - LEFT - RIGHT);
    for step in 0..=6 {
        let score = low + (high - low) * f64::from(step) / 6.;
        let more = if step == 6 && *has_more { " and more" } else { "" };
        parts.push(tick_below(place(score), &format!("{}{more}", short(score))));
    }
    if let Some(x) = threshold.map(place) {
        let (y, side, x_text) = (TOP - 10., if x > WIDTH / 2. { "end" } else { "start" }, x);
        let label = format!("alerts at {alert_budget_per_million} per million");
        parts.push(format!(
            "<line class=\"threshold\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{:.1}\"/>\n\
             <text class=\"strong\" x=\"{x_text:.1}\" y=\"{y:.1}\" text-anchor=\"{side}\">{}</text>\n",
            HEIGHT - BOTTOM,
            Text(label),
        ));
    }
    let anomalies: u64 = bars.iter().map(|bar| bar.1).sum();
    let words = "Rows of the holdout by the forest's own score, on a logarithmic scale";
    let words = match anomalies {
        0 => format!("{words}."),
        anomalies => format!("{words}; narrow bars are the {anomalies} that the label calls anomalies."),
    };
    format!("{}{}", svg(&words, &parts.concat()), paragraph(&words))
}

/// Recall and precision at budgets.
pub(super) fn budgets(budgets: &[(f64, AtBudget)]) -> String {
    let [first, last] = [budgets.first(), budgets.last()].map(|end| end.map_or(1., |(budget, _)| budget.log10()));
    let span = if last > first { last - first } else { 1. };
    let place = |budget: f64| LEFT + (budget.log10() - first) / span * (WIDTH - LEFT - RIGHT - 90.);
    let height = |share: f64| TOP + (1. - share) * (HEIGHT - TOP - BOTTOM);
    let mut parts = vec![axes()];
    parts.extend([0., 0.25, 0.5, 0.75, 1.].map(|share| tick_left(height(share), &format!("{share}"))));
    let powers = (0..7).map(|power| 10_f64.powi(power)).filter(|budget| (first..=last).contains(&budget.log10()));
    parts.extend(powers.map(|budget| tick_below(place(budget), &format!("{budget} per million"))));
    let line = |is_recall: bool| {
        let shares = budgets.iter().filter_map(move |(budget, at)| {
            let share = if is_recall { at.recall } else { at.precision };
            Some((place(*budget), height(share?)))
        });
        shares.collect::<Vec<(f64, f64)>>()
    };
    let mut ends: Vec<f64> = Vec::new();
    for (class, points) in [("recall", line(true)), ("precision", line(false))] {
        let path: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        parts.push(format!("<polyline class=\"{class}\" points=\"{}\"/>\n", path.join(" ")));
        parts.extend(
            points
                .iter()
                .map(|(x, y)| format!("<circle class=\"{class}-point\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>\n")),
        );
        if let Some((x, y)) = points.last() {
            let y = if ends.iter().any(|end| (end - y).abs() < 14.) { y + 16. } else { *y };
            ends.push(y);
            parts.push(format!("<text class=\"strong\" x=\"{:.1}\" y=\"{:.1}\">{class}</text>\n", x + 10., y + 4.));
        }
    }
    let words = "Share of the anomalies that alert (recall), and of the alerts that are anomalies (precision).";
    format!("{}{}", svg(words, &parts.concat()), paragraph(words))
}

fn svg(label: &str, parts: &str) -> String {
    format!("<svg role=\"img\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" aria-label=\"{}\">\n{parts}</svg>\n", Text(label))
}

fn axes() -> String {
    let (bottom, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
    format!(
        "<line class=\"axis\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{bottom}\" y2=\"{bottom}\"/>\n\
         <line class=\"axis\" x1=\"{LEFT}\" x2=\"{LEFT}\" y1=\"{TOP}\" y2=\"{bottom}\"/>\n"
    )
}

fn tick_left(y: f64, label: &str) -> String {
    let right = WIDTH - RIGHT;
    format!(
        "<line class=\"axis\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\n\
         <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\n",
        LEFT - 8.,
        y + 4.,
        Text(label),
    )
}

fn tick_below(x: f64, label: &str) -> String {
    let anchor = if x > WIDTH - 60. { "end" } else { "middle" };
    format!("<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>\n", HEIGHT - BOTTOM + 20., Text(label))
}

/// A number in few digits.
pub(super) fn short(number: f64) -> String {
    let size = number.abs();
    if number == 0. || (0.001..1e6).contains(&size) {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // at most 5
        let digits = if size == 0. { 0 } else { (2. - size.log10().floor()).clamp(0., 5.) as usize };
        let text = format!("{number:.digits$}");
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
    } else {
        format!("{number:.2e}")
    }
}
