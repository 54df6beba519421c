//! What people and programs read of a command. Nothing fails because nobody reads any more.

mod console;
mod standard;

pub use console::Console;
pub use standard::print;
