//! What a bucket does with requests before it looks at them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use s3s::access::{S3Access, S3AccessContext};
use s3s::dto::{GetObjectInput, PutObjectInput};
use s3s::{S3Request, S3Result, s3_error};

/// How a bucket treats whoever has its credentials.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Behaviour {
    /// As S3 does.
    #[default]
    Honest,
    /// Nobody may do anything.
    Refuses,
    /// As some servers do: every conditional write succeeds, and an object is sent whether it changed or not.
    IgnoresConditions,
    /// Objects are listed and written, and nobody may read one.
    OnlyLists,
}

/// The behaviour of a bucket, which lasts while its server comes and goes.
#[derive(Clone, Default)]
pub(super) struct Gate {
    behaviour: Arc<Mutex<Behaviour>>,
    requests: Arc<AtomicUsize>,
    refusals: Arc<AtomicUsize>,
}

impl Gate {
    pub(super) fn behave(&self, behaviour: Behaviour) {
        *self.behaviour.lock().unwrap() = behaviour;
    }

    pub(super) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    pub(super) fn refusals(&self) -> usize {
        self.refusals.load(Ordering::Relaxed)
    }

    fn behaviour(&self) -> Behaviour {
        *self.behaviour.lock().unwrap()
    }
}

#[async_trait::async_trait]
impl S3Access for Gate {
    async fn check(&self, request: &mut S3AccessContext<'_>) -> S3Result<()> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        match (self.behaviour(), request.credentials()) {
            (Behaviour::Honest | Behaviour::IgnoresConditions | Behaviour::OnlyLists, Some(_)) => Ok(()),
            (Behaviour::Refuses, _) | (_, None) => {
                self.refusals.fetch_add(1, Ordering::Relaxed);
                Err(s3_error!(AccessDenied))
            }
        }
    }

    async fn get_object(&self, request: &mut S3Request<GetObjectInput>) -> S3Result<()> {
        match self.behaviour() {
            Behaviour::Honest | Behaviour::Refuses => {}
            Behaviour::IgnoresConditions => request.input.if_none_match = None,
            Behaviour::OnlyLists => return Err(s3_error!(AccessDenied)),
        }
        Ok(())
    }

    async fn put_object(&self, request: &mut S3Request<PutObjectInput>) -> S3Result<()> {
        if self.behaviour() == Behaviour::IgnoresConditions {
            (request.input.if_match, request.input.if_none_match) = (None, None);
        }
        Ok(())
    }
}
