//! The URLs of a site file. They are shown as they are, in arguments and in messages: who is let in stands in a Secret.

use crate::field_error::{FieldErrors, quoted};

/// An HTTP URL with a host and without a user, who would be shown by the error, too.
pub(super) fn check_url(path: &str, url: &str, example: &str, secret: &str, errors: &mut FieldErrors) {
    let is_whole = !url.contains(|letter: char| letter.is_whitespace() || letter.is_control());
    if has_user(url) {
        let mend = format!("leave out what stands before the host; {secret} names the Secret of who is let in");
        errors.push(path, WITH_USER, mend);
    } else if authority(url).is_empty() || !is_whole {
        errors.push(path, quoted(url), format!("write a URL, such as {example}"));
    }
}

/// What is shown of a URL with a user.
pub(crate) const WITH_USER: &str = "a URL with a user";

/// Whether a user, maybe with a password, stands before the host.
pub(crate) fn has_user(url: &str) -> bool {
    authority(url).contains('@')
}

fn authority(url: &str) -> &str {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    rest.and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or_default()
}
