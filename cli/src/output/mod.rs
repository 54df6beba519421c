//! What people and programs read of a command. Nothing fails because nobody reads any more, and nothing that a record or an
//! object of the bucket says moves a terminal's cursor or changes its colours.

mod console;
mod escape;
mod figures;
mod format;
mod progress;
mod screen;
mod standard;
mod table;
mod yaml;

pub(crate) use console::Console;
pub use escape::escaped;
pub(crate) use escape::escaped_json;
pub(crate) use figures::{figure, time, value};
pub(crate) use format::{OutputFormat, OutputOptions};
pub(crate) use progress::Progress;
pub(crate) use screen::Screen;
pub use standard::say;
pub(crate) use standard::{OutputError, print, print_while_read, warn};
pub(crate) use table::{Align, Table, write_title};
