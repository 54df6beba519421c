//! Environment variables of Vedette's processes that nobody else sets: builders set them, and validation refuses them elsewhere.

use vedette_contract::arguments::{
    AWS_ACCESS_KEY_ID_ENV, AWS_SECRET_ACCESS_KEY_ENV, AWS_SESSION_TOKEN_ENV, KAFKA_SASL_PASSWORD_ENV,
    KAFKA_SASL_USERNAME_ENV, LISTEN_ADDRESS_ENV, LOG_LEVEL_ENV, POD_NAME_ENV,
};

/// All that the builders set.
pub(crate) const OUR_VARIABLES: &[&str] = &[
    AWS_ACCESS_KEY_ID_ENV,
    AWS_SECRET_ACCESS_KEY_ENV,
    AWS_SESSION_TOKEN_ENV,
    KAFKA_SASL_PASSWORD_ENV,
    KAFKA_SASL_USERNAME_ENV,
    LISTEN_ADDRESS_ENV,
    POD_NAME_ENV,
    LOG_LEVEL_ENV,
];
