//! The reasons of conditions: one closed list for each thing that can be the case. What steers code, or stands in docs and
//! charts, is one of these; a reason is spelled as its variant.

/// A reason of a condition.
pub trait Reason: Copy {
    /// Its spelling.
    fn as_str(self) -> &'static str;
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident { $($(#[$what:meta])* $reason:ident,)* })*) => {
        $($(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$what])* $reason,)* }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$reason,)*];
        }

        impl Reason for $name {
            fn as_str(self) -> &'static str {
                match self { $(Self::$reason => stringify!($reason),)* }
            }
        })*

        /// Every reason that a condition can have, but for what a bucket answers.
        pub fn all() -> Vec<&'static str> {
            let mut all = Vec::new();
            $(all.extend($name::ALL.iter().map(|reason| reason.as_str()));)*
            all
        }
    };
}

reasons! {
    /// Why an object of either kind is, or is not, `Ready`; a pipeline may have the reason of a part of it instead.
    ReadyReason {
        /// Everything that it asks for runs.
        Running,
        /// Nobody wants it to run.
        Suspended,
        /// Pods lack a Secret.
        SecretMissing,
        /// The object is wrong, or cannot be read.
        Invalid,
        /// Its topics are another's.
        TopicConflict,
        /// What is in its namespace cannot be listed.
        NamespaceUnreachable,
        /// The platform refuses what it consists of.
        ApplyFailed,
        /// The platform fails to take what it consists of, several times in a row.
        ApplyRetrying,
    }

    /// Why the topics are there, or not.
    TopicsReason {
        /// Their Job completed.
        TopicsCreated,
        /// They are there, and not as the spec says.
        Differs,
        /// They are there, and one of them does not take what goes there.
        RecordsCannotPass,
        /// Their Job gave up.
        TopicJobFailed,
        /// Their Job failed, and tries again.
        TopicJobRetrying,
        /// Their Job waits for a node, an image, a volume and the like.
        TopicJobWaiting,
        /// Their Job runs.
        TopicJobRunning,
        /// Their Job is not there yet.
        TopicJobPending,
    }

    /// Why the pods of a component are available, or not.
    PodsReason {
        /// As many as are wanted are ready.
        Available,
        /// Some are missing.
        PodsNotReady,
        /// Those of an earlier spec go on until those of this one are ready.
        RollingOut,
        /// They can go no further until somebody changes something.
        Stuck,
        /// None is wanted, and some are left.
        Stopping,
        /// The topics come first.
        NotStarted,
        /// None is wanted.
        ScaledToZero,
        /// None is wanted before there is a model.
        WaitingForModel,
    }

    /// Why the generator of a data set does its task, or not.
    GeneratorReason {
        /// It walks its data set.
        Generating,
        /// It has walked all of it.
        Finished,
        /// Its Job failed, and tries again.
        GeneratorJobRetrying,
        /// Its Job waits for a node, an image, a volume and the like.
        GeneratorJobWaiting,
        /// Its Job gave up.
        GeneratorJobFailed,
    }

    /// Why the bucket is reachable, or not; what it answers itself has its own words.
    BucketReason {
        /// It answers.
        Reachable,
        /// It was asked for nothing yet, or has answered nothing.
        NotAsked,
        /// Files of a model cannot be read.
        BucketUnreadable,
    }

    /// Why every record was read, or not.
    StreamReason {
        /// As far as is known.
        Complete,
        /// Retention deleted some before.
        RecordsLost,
        /// Nobody tells.
        NotTold,
    }

    /// Why the records have the fields that the model learned from, or not.
    FeaturesReason {
        /// They do.
        Present,
        /// Most of them lack some.
        FieldsMissing,
    }

    /// Why the scores are as in the training, or not.
    StabilityReason {
        /// They are.
        Stable,
        /// They are a little apart.
        SlightlyShifted,
        /// They are, and features are not.
        FeaturesShifted,
        /// They are not.
        ScoresShifted,
    }

    /// Why as many records alert as may, or more.
    BudgetReason {
        /// They do by the model's calibration, or near it.
        Held,
        /// They do because thresholds moved.
        ThresholdMoved,
        /// More alert, and thresholds move no farther.
        Exceeded,
    }

    /// Why receivers of incidents can use what they need of Secrets and `ConfigMaps`, or not.
    ReceiversReason {
        /// They can.
        Usable,
        /// One is not there, or has no such key.
        ReceiverSecretMissing,
        /// All are there, and one does not have what it should.
        ReceiverSecretWrong,
    }

    /// Why the detectors run the wanted version, or not.
    ModelReason {
        /// They do.
        Current,
        /// The pipeline follows no training.
        NoTraining,
        /// The training has published nothing.
        NoModel,
        /// The training has published nothing, and there is none of this name here.
        UnknownTraining,
        /// The pointer cannot be read.
        PointerUnreadable,
        /// The pointer is older than what was followed.
        OlderPointer,
        /// Files of the version are not here yet.
        Replicating,
        /// The version's manifest or files are wrong.
        Damaged,
        /// The version cannot be looked at.
        BucketUnreadable,
        /// The spec rolls out first.
        WaitingForSpec,
        /// They are on their way.
        Rolling,
        /// The version failed.
        RolledBack,
    }

    /// Why a training is, or is not, `Ready`, beside [`ReadyReason`].
    TrainingReason {
        /// It runs at another site.
        RunsAtOtherSite,
        /// It is to run at a site that has told nothing.
        UnknownSite,
        /// It is to learn from a pipeline of which nobody has told or archived anything.
        UnknownPipeline,
        /// The next run has a time.
        Scheduled,
        /// The next run waits for records.
        WaitingForData,
        /// Nothing more runs by itself.
        Done,
        /// The last run failed, and is tried again, or the next one is under way.
        LastRunFailed,
        /// The Job of the run under way fails, or waits for something.
        RunHeldUp,
    }

    /// Why there are enough records, or not.
    DataReason {
        /// There are.
        EnoughRecords,
        /// There are not.
        TooFewRecords,
        /// Nobody knows.
        ProgressUnreadable,
    }

    /// What is said of the model of the last run, where it is not the outcome of the run.
    RunReason {
        /// No run has ended.
        NoRunYet,
        /// It is there.
        ModelTrained,
        /// It is good enough.
        Passed,
        /// The run made none.
        NoModel,
    }

    /// How a run ended.
    Outcome {
        /// Its version is current.
        Published,
        /// Its model was not good enough.
        GateRefused,
        /// It found too few records.
        NotEnoughData,
        /// It left no result.
        Failed,
    }
}

impl ReadyReason {
    /// Whether it stays so until somebody changes something.
    pub fn is_lasting(self) -> bool {
        match self {
            Self::Invalid | Self::TopicConflict | Self::ApplyFailed => true,
            Self::Running
            | Self::Suspended
            | Self::SecretMissing
            | Self::NamespaceUnreachable
            | Self::ApplyRetrying => false,
        }
    }
}

impl TopicsReason {
    /// Whether it stays so until somebody changes something.
    pub fn is_lasting(self) -> bool {
        match self {
            Self::TopicJobFailed | Self::RecordsCannotPass => true,
            Self::TopicsCreated
            | Self::Differs
            | Self::TopicJobRetrying
            | Self::TopicJobWaiting
            | Self::TopicJobRunning
            | Self::TopicJobPending => false,
        }
    }
}

impl PodsReason {
    /// Whether it stays so until somebody changes something.
    pub fn is_lasting(self) -> bool {
        match self {
            Self::Stuck => true,
            Self::Available
            | Self::PodsNotReady
            | Self::RollingOut
            | Self::Stopping
            | Self::NotStarted
            | Self::ScaledToZero
            | Self::WaitingForModel => false,
        }
    }
}

impl GeneratorReason {
    /// Whether it stays so until somebody changes something.
    pub fn is_lasting(self) -> bool {
        match self {
            Self::GeneratorJobFailed => true,
            Self::Generating | Self::Finished | Self::GeneratorJobRetrying | Self::GeneratorJobWaiting => false,
        }
    }
}

impl ModelReason {
    /// Whether it passes by itself, and no watch tells when.
    pub fn passes_unseen(self) -> bool {
        match self {
            Self::Replicating | Self::BucketUnreadable => true,
            Self::Current
            | Self::NoTraining
            | Self::NoModel
            | Self::UnknownTraining
            | Self::PointerUnreadable
            | Self::OlderPointer
            | Self::Damaged
            | Self::WaitingForSpec
            | Self::Rolling
            | Self::RolledBack => false,
        }
    }
}

impl Outcome {
    /// The outcome of this spelling, as a status has it.
    pub fn read(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|outcome| outcome.as_str() == text)
    }
}

/// Whether `Ready` with this reason stays so until somebody changes something.
pub(crate) fn is_lasting(reason: &str) -> bool {
    let ready = ReadyReason::ALL.iter().filter(|one| one.is_lasting()).map(|one| one.as_str());
    let topics = TopicsReason::ALL.iter().filter(|one| one.is_lasting()).map(|one| one.as_str());
    let pods = PodsReason::ALL.iter().filter(|one| one.is_lasting()).map(|one| one.as_str());
    let generator = GeneratorReason::ALL.iter().filter(|one| one.is_lasting()).map(|one| one.as_str());
    ready.chain(topics).chain(pods).chain(generator).any(|lasting| lasting == reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lasts_is_told_by_its_spelling() {
        for lasting in ["Invalid", "TopicConflict", "ApplyFailed", "TopicJobFailed", "Stuck", "GeneratorJobFailed"] {
            assert!(is_lasting(lasting), "{lasting}");
        }
        for passing in ["Running", "PodsNotReady", "TopicJobRunning", "Replicating", ""] {
            assert!(!is_lasting(passing), "{passing}");
        }
    }

    #[test]
    fn an_outcome_reads_back() {
        for outcome in Outcome::ALL {
            assert_eq!(Outcome::read(outcome.as_str()), Some(*outcome));
        }
        assert_eq!(Outcome::read("published"), None);
    }
}
