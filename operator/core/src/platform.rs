//! How decisions come true: a platform looks, the core decides, the platform applies, the core concludes, the platform
//! tells. A cluster, a laptop and a simulation differ in how they look, apply and tell, and in nothing else.

use std::time::Duration;

use jiff::Timestamp;

use crate::event::Event;
use crate::refusal::Refusal;
use crate::site::SiteFile;
use crate::site_status::SiteStatusUpdate;

/// A kind of object: how it is decided about. Everything here is pure.
pub trait Kind {
    /// An object in which nothing is wrong.
    type Object;
    /// Its status.
    type Status;
    /// What a platform sees of it.
    type Seen;
    /// What has to be there.
    type Plan;
    /// What came of applying the plan.
    type Applied;

    /// What has to be there, by the spec, the status before, what is seen, and the time.
    fn decide(
        object: &Self::Object,
        site: &SiteFile,
        before: &Self::Status,
        seen: Self::Seen,
        now: Timestamp,
    ) -> Self::Plan;

    /// What is to be told, now that the plan was applied.
    fn conclude(
        plan: &Self::Plan,
        applied: Result<&Self::Applied, ApplyFailure>,
        now: Timestamp,
    ) -> Conclusion<Self::Status>;

    /// What is to be told of an object that is not acted upon: what runs because of it is left as it was.
    fn refuse(refused: &Refused<'_, Self::Status>, refusal: Refusal, now: Timestamp) -> Conclusion<Self::Status>;
}

/// Where what was decided about a kind is carried out.
pub trait Platform<K: Kind> {
    /// Why looking, applying or telling failed.
    type Error;

    /// Reads what a decision depends on. It writes nothing and decides nothing.
    fn look(
        &mut self,
        object: &K::Object,
        before: &K::Status,
    ) -> impl Future<Output = Result<K::Seen, Self::Error>> + Send;

    /// Makes the platform have what the plan says.
    fn apply(
        &mut self,
        object: &K::Object,
        plan: &K::Plan,
    ) -> impl Future<Output = Result<K::Applied, Self::Error>> + Send;

    /// Why an apply failed.
    fn failure(&self, error: &Self::Error) -> ApplyFailure;

    /// Writes the status and tells the events, and tells the other sites.
    fn tell(
        &mut self,
        before: &K::Status,
        conclusion: &Conclusion<K::Status>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// Why a plan was not put into effect, as far as a status says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplyFailure {
    /// The whole cause.
    pub message: String,
    /// Whether it stays so until somebody changes something; what passes by itself is tried again.
    pub is_lasting: bool,
    /// How often in a row it failed, this time included.
    pub times: u32,
}

/// What is to be told.
#[derive(Debug, Clone, PartialEq)]
pub struct Conclusion<S> {
    /// The object's status from now on.
    pub status: S,
    /// What happened.
    pub events: Vec<Event>,
    /// What the other sites are told, where they are told anything.
    pub site_status: Option<SiteStatusUpdate>,
    /// When to look again, if nothing asks for it earlier.
    pub again: Duration,
}

/// What is known of an object that is not acted upon.
#[derive(Debug)]
pub struct Refused<'a, S> {
    /// Its status before.
    pub before: &'a S,
    /// Generation of its spec.
    pub generation: Option<i64>,
    pub site: &'a SiteFile,
    /// Between .9 and 1.1, so that many objects are not looked at again at once.
    pub jitter: f64,
}

/// One reconcile: look, decide, apply, conclude, tell. Returns when to look again.
///
/// # Errors
/// When the platform fails; the status tells of what could not be applied, where that stays so or lasts.
pub async fn reconcile<K: Kind, P: Platform<K>>(
    platform: &mut P,
    object: &K::Object,
    site: &SiteFile,
    before: &K::Status,
    now: Timestamp,
) -> Result<Duration, P::Error> {
    let seen = platform.look(object, before).await?;
    let plan = K::decide(object, site, before, seen, now);
    let applied = platform.apply(object, &plan).await;
    let conclusion = K::conclude(&plan, applied.as_ref().map_err(|error| platform.failure(error)), now);
    platform.tell(before, &conclusion).await?;
    applied.map(|_| conclusion.again)
}

/// The time as a status can carry it.
pub fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}
