//! What a CEL expression asks of a record, and the forms of it that CEL is asked to evaluate. A field whose name is no CEL
//! identifier becomes a variable of that name: `flow.bytes` is the field `"flow.bytes"`, or the member `bytes` of the object
//! `flow`; `record["Dst Port"]` is the field `"Dst Port"`.

use std::collections::HashSet;

use cel::common::ast::{EntryExpr, Expr, LiteralValue, operators};
use cel::{IdedExpr, Program};

/// What stands before a field's name in brackets.
const RECORD: &str = "record";

/// An expression in two forms.
#[derive(Debug)]
pub(crate) struct Expression {
    pub(crate) as_written: IdedExpr,
    /// With a double for each whole number: CEL does not mix the two.
    pub(crate) doubles: IdedExpr,
}

impl Expression {
    /// Parses CEL.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut as_written = Program::compile(text).map_err(|errors| errors.to_string())?.expression().clone();
        let mut bound = HashSet::new();
        visit(&mut as_written, &mut |expression| bound.extend(variables_of_its_own(expression)));
        visit(&mut as_written, &mut |expression| name_field(expression, &bound));
        let mut doubles = as_written.clone();
        visit(&mut doubles, &mut whole_number_to_double);
        Ok(Self { as_written, doubles })
    }

    /// The variables that it reads.
    pub(crate) fn variables(&self) -> Vec<String> {
        let mut variables: Vec<String> =
            self.as_written.references().variables().into_iter().map(str::to_owned).collect();
        variables.sort_unstable();
        variables
    }
}

/// Hears of each part, the whole before its parts.
fn visit(part: &mut IdedExpr, hear: &mut impl FnMut(&mut Expr)) {
    hear(&mut part.expr);
    parts(&mut part.expr).into_iter().for_each(|part| visit(part, hear));
}

fn parts(expression: &mut Expr) -> Vec<&mut IdedExpr> {
    match expression {
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => Vec::new(),
        Expr::Call(call) => call.target.as_deref_mut().into_iter().chain(&mut call.args).collect(),
        Expr::Comprehension(of) => {
            vec![&mut of.iter_range, &mut of.accu_init, &mut of.loop_cond, &mut of.loop_step, &mut of.result]
        }
        Expr::List(list) => list.elements.iter_mut().collect(),
        Expr::Map(map) => map.entries.iter_mut().flat_map(|entry| entry_parts(&mut entry.expr)).collect(),
        Expr::Struct(of) => of.entries.iter_mut().flat_map(|entry| entry_parts(&mut entry.expr)).collect(),
        Expr::Select(select) => vec![&mut select.operand],
    }
}

fn entry_parts(entry: &mut EntryExpr) -> Vec<&mut IdedExpr> {
    match entry {
        EntryExpr::StructField(field) => vec![&mut field.value],
        EntryExpr::MapEntry(entry) => vec![&mut entry.key, &mut entry.value],
    }
}

/// Those of `[1, 2].exists(x, x > 1)`: what is selected of `x` is no field.
fn variables_of_its_own(expression: &Expr) -> Vec<String> {
    match expression {
        Expr::Comprehension(of) => std::iter::once(of.iter_var.clone()).chain(of.iter_var2.clone()).collect(),
        _ => Vec::new(),
    }
}

fn name_field(expression: &mut Expr, bound: &HashSet<String>) {
    let name = match &*expression {
        Expr::Select(_) => path(expression, bound),
        Expr::Call(call) if call.func_name == operators::INDEX => bracketed(&call.args),
        _ => None,
    };
    if let Some(name) = name {
        *expression = Expr::Ident(name);
    }
}

/// `a.b.c`, where nothing but names stands.
fn path(expression: &Expr, bound: &HashSet<String>) -> Option<String> {
    match expression {
        Expr::Ident(name) => (!bound.contains(name)).then(|| name.clone()),
        Expr::Select(select) if !select.test => {
            Some(format!("{}.{}", path(&select.operand.expr, bound)?, select.field))
        }
        _ => None,
    }
}

/// The name in `record["name"]`.
fn bracketed(arguments: &[IdedExpr]) -> Option<String> {
    let [IdedExpr { expr: Expr::Ident(of), .. }, IdedExpr { expr: Expr::Literal(LiteralValue::String(name)), .. }] =
        arguments
    else {
        return None;
    };
    (of == RECORD).then(|| name.inner().to_owned())
}

fn whole_number_to_double(expression: &mut Expr) {
    if let Expr::Literal(LiteralValue::Int(number)) = expression {
        #[allow(clippy::cast_precision_loss, reason = "as everywhere where numbers mix")]
        let double = *number.inner() as f64;
        *expression = Expr::Literal(LiteralValue::Double(double.into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_its_name_a_field_is_a_variable() {
        for (expression, variables) in [
            ("a + flow.bytes_toserver * 2", vec!["a", "flow.bytes_toserver"]),
            ("a.b.c.size() + size(a.b)", vec!["a.b", "a.b.c"]),
            ("record['Dst Port'] + record", vec!["Dst Port", "record"]),
            ("record[a]", vec!["a", "record"]),
            ("[a.b].exists(x, x.y > 1)", vec!["a.b", "x"]),
            ("'a.b' == \"record['c']\"", vec![]),
        ] {
            assert_eq!(Expression::parse(expression).unwrap().variables(), variables, "{expression}");
        }
    }

    #[test]
    fn whole_numbers_alone_become_doubles() {
        for (expression, expected) in [
            ("a + 2", "a + 2.0"),
            ("(12*a1)/x_2-3", "(12.0*a1)/x_2-3.0"),
            ("1.5 + 2e3 + 2u + 0x1F", "1.5 + 2e3 + 2u + 31.0"),
            (r#"a == r'\' ? 4 : "5 6""#, r#"a == r'\' ? 4.0 : "5 6""#),
            ("{'a': 1}[b] + [2].size()", "{'a': 1.0}[b] + [2.0].size()"),
        ] {
            let [one, other] = [expression, expected].map(|text| Expression::parse(text).unwrap());
            assert_eq!(one.doubles, other.as_written, "{expression}");
        }
    }
}
