//! A statement in one line of text, and the comparison with the line expected.

use restable_sql::ast;
use restable_sql::{
    Attribute, Describe, Exec, ExecBody, Hints, Insert, Parsed, Replace, Set, Show, ShowObject,
    Statement, Update, parse,
};

pub(crate) fn check(sql: &str, expected: &str) {
    let sketched = match parse(sql) {
        Ok(statements) => statements.iter().map(sketch).collect::<Vec<_>>().join("; "),
        Err(fault) => format!("{}: {}", fault.code, fault.message),
    };
    assert_eq!(sketched, expected, "\n{sql}");
}

fn sketch(parsed: &Parsed) -> String {
    let mut text = statement(&parsed.statement);
    for (index, call) in parsed.calls.iter().enumerate() {
        text.push_str(&format!(" where {index} is {}", exec(call)));
    }
    if !parsed.placeholders.is_empty() {
        let names: Vec<_> = parsed
            .placeholders
            .iter()
            .map(|placeholder| placeholder.name.as_str())
            .collect();
        text.push_str(&format!(" with {}", names.join(" ")));
    }
    text
}

fn statement(statement: &Statement) -> String {
    match statement {
        Statement::Query(query) => query.to_string(),
        Statement::Connection(connection) => format!("{connection:?}"),
        Statement::Explain(explain) => {
            let analyze = if explain.analyze { " analyze" } else { "" };
            let verbose = if explain.verbose { " verbose" } else { "" };
            let format = match explain.format {
                restable_sql::ExplainFormat::Text => "",
                restable_sql::ExplainFormat::Json => " format=json",
                restable_sql::ExplainFormat::Tree => " format=tree",
            };
            format!(
                "explain{analyze}{verbose}{format} {}",
                self::statement(&explain.statement)
            )
        }
        Statement::Insert(rows) => format!("insert {}", insert(rows)),
        Statement::Replace(Replace::Rows(rows)) => format!("replace {}", insert(rows)),
        Statement::Replace(Replace::Set(changes)) => format!("replace {}", update(changes)),
        Statement::Update(changes) => format!("update {}", update(changes)),
        Statement::Delete(delete) => {
            let alias = delete
                .alias
                .as_ref()
                .map(|alias| format!(" as {alias}"))
                .unwrap_or_default();
            let selection = delete
                .selection
                .as_ref()
                .map(|filter| format!(" where {filter}"))
                .unwrap_or_default();
            format!(
                "delete{} {}{alias}{selection}{}",
                hints(delete.hints),
                delete.table,
                returning(delete.returning.as_deref())
            )
        }
        Statement::Exec(call) => exec(call),
        Statement::Preview(inner) => format!("preview {}", self::statement(inner)),
        Statement::Show(Show {
            object,
            extended,
            like,
            ..
        }) => {
            let extended = if *extended { " extended" } else { "" };
            let like = like
                .as_ref()
                .map(|like| format!(" like {like}"))
                .unwrap_or_default();
            format!("show {}{extended}{like}", shown(object))
        }
        Statement::Describe(Describe::Table { name, extended, .. }) => {
            format!(
                "describe {name}{}",
                if *extended { " extended" } else { "" }
            )
        }
        Statement::Describe(Describe::Method {
            table,
            method,
            extended,
            ..
        }) => {
            format!(
                "describe method {method} of {table}{}",
                if *extended { " extended" } else { "" }
            )
        }
        Statement::Describe(Describe::Query(query)) => format!("describe ({query})"),
        Statement::Use(name) => format!("use {name}"),
        Statement::Set(Set { key, value, .. }) => format!("set {key} = {value:?}"),
        Statement::Refresh(refresh) => format!("refresh {}", refresh.name),
        Statement::Reset(reset) => format!("reset {}", reset.key.as_deref().unwrap_or("all")),
    }
}

fn shown(object: &ShowObject) -> String {
    let inside = |what: &str, name: &Option<ast::ObjectName>| match name {
        Some(name) => format!("{what} in {name}"),
        None => what.to_owned(),
    };
    match object {
        ShowObject::Services(name) => inside("services", name),
        ShowObject::Resources(name) => inside("resources", name),
        ShowObject::Methods(name) => inside("methods", name),
        ShowObject::Views(name) => inside("views", name),
        ShowObject::Tables(name) => inside("tables", name),
        ShowObject::Columns(name) => format!("columns of {name}"),
        ShowObject::Create(name) => format!("create {name}"),
        ShowObject::InsertTemplate {
            table,
            required_only,
        } => {
            format!(
                "insert into {table}{}",
                if *required_only { " required" } else { "" }
            )
        }
        ShowObject::ExecTemplate { table, method } => format!("exec {method} of {table}"),
        ShowObject::Setting(key) => format!("setting {key}"),
        other => format!("{other:?}").to_lowercase(),
    }
}

fn hints(hints: Hints) -> String {
    let Hints {
        nowait,
        wait,
        await_job,
        show_results,
        no_status,
    } = hints;
    let words = [
        (nowait, "nowait"),
        (wait, "await"),
        (await_job, "await_job"),
        (show_results, "showresults"),
        (no_status, "nostatus"),
    ];
    let written: Vec<_> = words
        .iter()
        .filter(|(written, _)| *written)
        .map(|(_, word)| *word)
        .collect();
    if written.is_empty() {
        String::new()
    } else {
        format!("[{}]", written.join(","))
    }
}

fn attribute(attribute: &Attribute) -> String {
    format!(
        "{}{}",
        if attribute.data_prefix { "body:" } else { "" },
        attribute.dotted()
    )
}

fn returning(items: Option<&[ast::SelectItem]>) -> String {
    let joined = |items: &[ast::SelectItem]| {
        items
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", ")
    };
    items
        .map(|items| format!(" returning {}", joined(items)))
        .unwrap_or_default()
}

fn insert(rows: &Insert) -> String {
    let columns: Vec<_> = rows.columns.iter().map(attribute).collect();
    let conflict = if rows.on_conflict_do_nothing {
        " or nothing"
    } else {
        ""
    };
    let returning = returning(rows.returning.as_deref());
    format!(
        "{}{}({}) {}{conflict}{returning}",
        hints(rows.hints),
        rows.table,
        columns.join(", "),
        rows.source
    )
}

fn update(changes: &Update) -> String {
    let set: Vec<_> = changes
        .assignments
        .iter()
        .map(|one| format!("{}={}", attribute(&one.target), one.value))
        .collect();
    let alias = changes
        .alias
        .as_ref()
        .map(|alias| format!(" as {alias}"))
        .unwrap_or_default();
    let selection = changes
        .selection
        .as_ref()
        .map(|filter| format!(" where {filter}"))
        .unwrap_or_default();
    let returning = returning(changes.returning.as_deref());
    format!(
        "{}{}{alias} set {}{selection}{returning}",
        hints(changes.hints),
        changes.table,
        set.join(", ")
    )
}

fn exec(call: &Exec) -> String {
    let mut text = format!(
        "exec{} {} of {}",
        hints(call.hints),
        call.method,
        call.table
    );
    for argument in &call.arguments {
        text.push_str(&format!(
            " {}={}",
            attribute(&argument.name),
            argument.value
        ));
    }
    match &call.body {
        Some(ExecBody::Json(value, _)) => text.push_str(&format!(" json={value}")),
        Some(ExecBody::JsonFile(value, _)) => text.push_str(&format!(" json_file={value}")),
        None => {}
    }
    if let Some(rows) = &call.for_each {
        let alias = rows
            .alias
            .as_ref()
            .map(|alias| format!(" as {alias}"))
            .unwrap_or_default();
        text.push_str(&format!(" for each ({}){alias}", rows.query));
    }
    text
}
