//! What people and programs read of a command. Nothing fails because nobody reads any more.

mod console;
mod standard;

pub(crate) use console::Console;
pub(crate) use standard::{OutputError, print};
