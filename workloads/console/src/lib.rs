//! The console: a page that shows the pipelines of all sites, and the API that it asks. The bucket tells of all sites (`read`), the
//! site's own Kafka of what is new within a second (`live`); both write into one bounded memory (`store`), of which `api` answers.
//! What people write on the page goes into the bucket by `act`, and nothing else does; records that they make up go to Kafka by `simulate`,
//! where the site allows that.

mod act;
mod alert;
mod api;
mod error;
mod history;
mod live;
mod metrics;
mod owner;
mod query;
mod read;
mod readiness;
mod ring;
mod run;
mod sample;
mod simulate;
mod store;
mod suggest;
#[cfg(test)]
mod testing;
mod view;

pub use error::ConsoleError;
pub use run::run;
