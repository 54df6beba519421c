//! A token for a client whose callback nobody serves: rdkafka polls the main queue of consumers and producers, and of its
//! `AdminClient` never. It does nothing else, as it is the one place that calls C.

use std::ffi::{CString, NulError, c_char};
use std::ptr;

use rdkafka::bindings::rd_kafka_oauthbearer_set_token;
use rdkafka::client::{Client, ClientContext, OAuthToken};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaRespErr;

const SAID_BYTES: usize = 512;

/// Gives a client a token, which it uses until it gets another.
///
/// # Errors
/// When librdkafka refuses it: it has ended, is no token, or the client does not come by one.
pub fn give<C: ClientContext>(client: &Client<C>, token: &OAuthToken) -> Result<(), KafkaError> {
    let text = |text: &str| CString::new(text).map_err(|error: NulError| KafkaError::ClientCreation(error.to_string()));
    let (value, principal) = (text(&token.token)?, text(&token.principal_name)?);
    let mut said = [0_u8; SAID_BYTES];
    // SAFETY: the client lives as long as its reference, the two texts end with the function and are copied by the call,
    // there are no extensions, and the call writes at most `said.len()` bytes there.
    #[allow(unsafe_code)]
    let code = unsafe {
        rd_kafka_oauthbearer_set_token(
            client.native_ptr(),
            value.as_ptr(),
            token.lifetime_ms,
            principal.as_ptr(),
            ptr::null_mut(),
            0,
            said.as_mut_ptr().cast::<c_char>(),
            said.len(),
        )
    };
    match code {
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
        _ => {
            let length = said.iter().position(|byte| *byte == 0).unwrap_or(said.len());
            Err(KafkaError::ClientCreation(String::from_utf8_lossy(&said[..length]).into_owned()))
        }
    }
}
