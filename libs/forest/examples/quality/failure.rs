//! Why nothing can be measured.

use std::error::Error;

/// Something that ends the program with its message.
pub(crate) type Failure = Box<dyn Error>;
