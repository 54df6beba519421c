//! What a CEL expression says of an incident, an alert or a record: filters of receivers and matches of silences, compiled and
//! asked here alone, so that no two programs can understand one expression differently. No Kafka, no I/O, no async.

mod silence;
mod subject;
mod wanted;

use std::panic::{AssertUnwindSafe, catch_unwind};

use cel::common::ast::{EntryExpr, Expr, IdedExpr};
use cel::{Program, Value};
use thiserror::Error;
use vedette_contract::receiver::FILTER_VARIABLES;

pub use silence::silence_filter;
pub use subject::Subject;
pub use wanted::{SilenceEnd, WantedSilence};

/// Why a filter was refused.
#[derive(Debug, Error)]
pub enum FilterError {
    /// Not CEL.
    #[error("filter {expression:?} is not a CEL expression: {message}")]
    Syntax {
        /// The expression.
        expression: String,
        /// What the compiler says.
        message: String,
    },
    /// It needs what no incident has.
    #[error("filter {expression:?} speaks of {variable:?}, which no incident has; there are: {}", FILTER_VARIABLES.join(", "))]
    Variable {
        /// The expression.
        expression: String,
        /// The variable.
        variable: String,
    },
}

/// A compiled filter.
#[derive(Debug)]
pub struct Filter {
    program: Program,
}

impl Filter {
    /// Compiles an expression.
    ///
    /// # Errors
    /// When it can be true of no incident whatever is in it.
    pub fn compile(expression: &str) -> Result<Self, FilterError> {
        let syntax = |message: String| FilterError::Syntax { expression: expression.to_owned(), message };
        // The compiler is not ours, and what it is given comes from a person: should it panic, that is a refusal too.
        let program = catch_unwind(|| Program::compile(expression))
            .map_err(|_| syntax("the compiler broke off".to_owned()))?
            .map_err(|errors| syntax(errors.to_string()))?;
        let filter = Self { program };
        match filter.speaks_of_other_than(&FILTER_VARIABLES) {
            None => Ok(filter),
            Some(variable) => Err(FilterError::Variable { expression: expression.to_owned(), variable }),
        }
    }

    /// Whether it is true.
    ///
    /// # Errors
    /// What is wrong where it is neither true nor false, as where a field is missing that it needs.
    pub fn matches(&self, subject: &Subject) -> Result<bool, String> {
        match catch_unwind(AssertUnwindSafe(|| self.program.execute(subject.context()))) {
            Ok(Ok(Value::Bool(truth))) => Ok(truth),
            Ok(Ok(other)) => Err(format!("the result is a {}, neither true nor false", other.type_of())),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("the evaluation broke off".to_owned()),
        }
    }

    /// Whether it goes through lists or maps, with `map`, `filter`, `all` and the like: a few of them in one another take any time and
    /// any memory.
    fn has_loops(&self) -> bool {
        has_loops(self.program.expression())
    }

    /// A variable that is none of these.
    fn speaks_of_other_than(&self, known: &[&str]) -> Option<String> {
        let references = self.program.references();
        references.variables().into_iter().find(|name| !known.contains(name)).map(str::to_owned)
    }
}

fn has_loops(expression: &IdedExpr) -> bool {
    let in_entry = |entry: &EntryExpr| match entry {
        EntryExpr::StructField(field) => has_loops(&field.value),
        EntryExpr::MapEntry(entry) => has_loops(&entry.key) || has_loops(&entry.value),
    };
    match &expression.expr {
        Expr::Comprehension(_) => true,
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => false,
        Expr::Call(call) => call.target.as_deref().into_iter().chain(&call.args).any(has_loops),
        Expr::List(list) => list.elements.iter().any(has_loops),
        Expr::Map(map) => map.entries.iter().any(|entry| in_entry(&entry.expr)),
        Expr::Struct(of) => of.entries.iter().any(|entry| in_entry(&entry.expr)),
        Expr::Select(select) => has_loops(&select.operand),
    }
}

#[cfg(test)]
mod tests {
    use vedette_contract::incident::Incident;

    use super::*;

    pub(crate) fn incident() -> Incident {
        serde_json::from_str(
            r#"{"id":"e10ccd88-6b1b-5425-8e1e-5a86f19dd1c5","namespace":"team","pipeline":"flows","site":"east",
            "status":"open","grouping":{"by":"fields","values":[{"field":"service","value":"http"}]},
            "first_utc":"2026-11-23T08:42:10Z","last_utc":"2026-11-23T08:42:10Z","alerts":1,"severity":"low",
            "highest_score":0.9,"reasons":[{"field":"src_bytes","alerts":1,"weight":500000,"value":"181"}],
            "example":{"origin":{"topic":"alerts","partition":0,"offset":7},
            "alert":{"src_bytes":181,"nested":{"list":[1,"b"]}}},"revision":1,"news_revision":1}"#,
        )
        .unwrap()
    }

    fn says(expression: &str) -> Result<bool, String> {
        Filter::compile(expression).unwrap().matches(&Subject::incident(&incident()))
    }

    #[test]
    fn an_incident_is_what_an_expression_speaks_of() {
        for expression in [
            "site == 'east' && pipeline == 'flows' && namespace == 'team'",
            "severity in ['low', 'high']",
            "alerts > 0 && highest_score > 0.5",
            "'src_bytes' in reasons",
            "fields.service == 'http'",
            "example.src_bytes == 181 && example.nested.list[1] == 'b'",
            "has(example.src_bytes) && !has(example.dst_bytes)",
        ] {
            assert_eq!(says(expression), Ok(true), "{expression}");
        }
        assert_eq!(says("alerts > 100"), Ok(false));
    }

    #[test]
    fn what_is_neither_true_nor_false_is_said() {
        for expression in ["example.missing == 1", "alerts", "alerts + site == 'x'"] {
            assert!(says(expression).is_err(), "{expression}");
        }
    }

    #[test]
    fn what_cannot_work_is_refused_before_it_is_asked() {
        for (expression, complaint) in
            [("alerts >", "not a CEL"), ("src_bytes > 1", "which no incident has"), ("", "not a CEL")]
        {
            let error = Filter::compile(expression).unwrap_err().to_string();
            assert!(error.contains(complaint), "{expression}: {error}");
        }
    }
}
