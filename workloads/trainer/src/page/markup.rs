//! Pieces of HTML. What is text is escaped here and nowhere else, so that no name of a field is ever markup.

use std::fmt::{self, Display, Write};

/// A value as text of HTML, and of attributes between double quotes.
pub(super) struct Text<T>(pub(super) T);

/// A cell of a table.
#[derive(Debug, Clone)]
pub(super) enum Cell {
    /// The name of its row.
    Name(String),
    /// A name or value from the data.
    Data(String),
    /// A text.
    Text(String),
    /// A number.
    Number(String),
}

impl Cell {
    /// A figure, or a dash where there is none.
    pub(super) fn figure(figure: Option<f64>) -> Self {
        Self::Number(figure.map_or_else(|| "–".to_owned(), |figure| format!("{figure:.4}")))
    }
}

struct Escaped<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl Write for Escaped<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|character| match character {
            '&' => self.0.write_str("&amp;"),
            '<' => self.0.write_str("&lt;"),
            '>' => self.0.write_str("&gt;"),
            '"' => self.0.write_str("&quot;"),
            '\'' => self.0.write_str("&#39;"),
            // HTML has no such characters; a blank would hide them.
            control if control.is_control() => write!(self.0, "\\u{{{:x}}}", u32::from(control)),
            other => self.0.write_char(other),
        })
    }
}

impl<T: Display> Display for Text<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaped(formatter), "{}", self.0)
    }
}

/// A part of the page; `body` is markup.
pub(super) fn section(title: &str, body: &str) -> String {
    format!("<section>\n<h2>{}</h2>\n{body}</section>\n", Text(title))
}

/// A paragraph.
pub(super) fn paragraph(text: &str) -> String {
    format!("<p>{}</p>\n", Text(text))
}

/// A paragraph that nobody should miss.
pub(super) fn strong(text: &str) -> String {
    format!("<p class=\"strong\">{}</p>\n", Text(text))
}

/// A table with these headings; without any it has none.
pub(super) fn table(headings: &[&str], rows: impl IntoIterator<Item = Vec<Cell>>) -> String {
    let headings: String = headings.iter().map(|heading| format!("<th scope=\"col\">{}</th>", Text(heading))).collect();
    let head = if headings.is_empty() { String::new() } else { format!("<thead><tr>{headings}</tr></thead>\n") };
    let rows: String =
        rows.into_iter().map(|cells| format!("<tr>{}</tr>\n", cells.iter().map(cell).collect::<String>())).collect();
    format!("<div class=\"wide\"><table>\n{head}<tbody>\n{rows}</tbody>\n</table></div>\n")
}

fn cell(cell: &Cell) -> String {
    match cell {
        Cell::Name(text) => format!("<th scope=\"row\">{}</th>", Text(text)),
        Cell::Data(text) => format!("<td><code>{}</code></td>", Text(text)),
        Cell::Text(text) => format!("<td>{}</td>", Text(text)),
        Cell::Number(text) => format!("<td class=\"number\">{}</td>", Text(text)),
    }
}
