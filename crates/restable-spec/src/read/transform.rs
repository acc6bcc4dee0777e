//! Recognises the response transformations of the public registry by what they do, so that they are done natively.
//! It reads the little of Go's template language that they are written in: white space, trim marks and names of
//! variables make no difference. Any other template is not recognised, and never run.

/// What a template does to a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Transform {
    /// Each row under `value` gets the keys of its `properties`; the row's own keys win.
    FlattenList,
    /// The body gets the keys of its `properties`.
    FlattenObject,
    /// The body, a scalar, becomes `{"value": body}`.
    WrapScalar,
    /// The body, an array of scalars, becomes rows `{"value": element}`.
    WrapScalarList,
    /// The array of scalars under `value` becomes rows `{"value": element}`.
    WrapScalarsUnderValue,
    /// The body becomes `{key: body}`.
    WrapBody(String),
}

/// The five bodies that the registry's azure documents are written with, in their own words.
const KNOWN: [(&str, Transform); 5] = [
    (
        r#"{"value": [ {{- range $i, $row := index . "value" }}{{ if $i }},{{ end }}
        { {{ $p := index $row "properties" }}{{ if eq (kindOf $p) "map" }}{{ range $k, $v := $p }}
        {{ printf "%q" $k }}: {{ toJson $v }}, {{ end }}{{ end }}
        {{ range $k, $v := $row }}{{ printf "%q" $k }}: {{ toJson $v }}, {{ end }}"_flattened": true }
        {{- end }} ], "nextLink": {{ toJson (index . "nextLink") }}}"#,
        Transform::FlattenList,
    ),
    (
        r#"{{ $row := . }}{ {{ $p := index $row "properties" }}{{ if eq (kindOf $p) "map" }}
        {{ range $k, $v := $p }}{{ printf "%q" $k }}: {{ toJson $v }}, {{ end }}{{ end }}
        {{ range $k, $v := $row }}{{ printf "%q" $k }}: {{ toJson $v }}, {{ end }}"_flattened": true }"#,
        Transform::FlattenObject,
    ),
    (r#"{"value": {{ toJson . }}}"#, Transform::WrapScalar),
    (
        r#"{"value": [{{ range $i, $v := . }}{{ if $i }},{{ end }}{"value": {{ toJson $v }}}{{ end }}]}"#,
        Transform::WrapScalarList,
    ),
    (
        r#"{"value": [{{ range $i, $v := index . "value" }}{{ if $i }},{{ end }}{"value": {{ toJson $v }}}{{ end }}],
        "nextLink": {{ toJson (index . "nextLink") }}}"#,
        Transform::WrapScalarsUnderValue,
    ),
];

/// What the template does, or `None` if it is another one.
pub(super) fn recognise(template: &str) -> Option<Transform> {
    let normal = normalise(template);
    if let Some(key) = wrapped_key(&normal) {
        return Some(Transform::WrapBody(key.to_owned()));
    }
    KNOWN
        .iter()
        .find(|(known, _)| normalise(known) == normal)
        .map(|(_, transform)| transform.clone())
}

/// `{{$a:=printf "{\"key\":%s}" .}}{{$a}}`, as the normal form spells it.
fn wrapped_key(normal: &str) -> Option<&str> {
    let rest = normal.strip_prefix(r#"{{$0:=printf"{\""#)?;
    let (key, rest) = rest.split_once('\\')?;
    (rest == r#"":%s}".}}{{$0}}"#).then_some(key)
}

/// Without white space and trim marks, variables numbered in order of appearance.
fn normalise(template: &str) -> String {
    let mut out = String::with_capacity(template.len());
    let mut variables: Vec<String> = Vec::new();
    let mut characters = template.chars().peekable();
    let mut in_action = false;
    while let Some(character) = characters.next() {
        match character {
            _ if character.is_whitespace() => {
                // A trim mark stands between the brace and white space; a minus elsewhere belongs to the text.
                if in_action && characters.peek() == Some(&'-') {
                    let mut ahead = characters.clone();
                    ahead.next();
                    if ahead.next() == Some('}') && ahead.next() == Some('}') {
                        characters.next();
                    }
                }
            }
            '{' if !in_action && characters.peek() == Some(&'{') => {
                let mut run = 1;
                while characters.peek() == Some(&'{') {
                    characters.next();
                    run += 1;
                }
                out.push_str(&"{".repeat(run));
                in_action = true;
                if characters.peek() == Some(&'-') {
                    characters.next();
                }
            }
            '}' if in_action && characters.peek() == Some(&'}') => {
                characters.next();
                out.push_str("}}");
                in_action = false;
            }
            '$' if in_action => {
                let mut name = String::new();
                while let Some(next) = characters
                    .peek()
                    .filter(|next| next.is_alphanumeric() || **next == '_')
                {
                    name.push(*next);
                    characters.next();
                }
                let number = variables
                    .iter()
                    .position(|known| *known == name)
                    .unwrap_or_else(|| {
                        variables.push(name);
                        variables.len() - 1
                    });
                out.push_str(&format!("${number}"));
            }
            _ => out.push(character),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{KNOWN, Transform, recognise};

    #[test]
    fn every_known_template_is_itself() {
        for (template, transform) in KNOWN {
            assert_eq!(recognise(template), Some(transform));
        }
    }

    #[test]
    fn spelling_makes_no_difference_and_meaning_does() {
        for (template, expected) in [
            (r#"{ "value" : {{toJson .}} }"#, Some(Transform::WrapScalar)),
            (
                r#"{"value": {{- toJson . -}} }"#,
                Some(Transform::WrapScalar),
            ),
            (
                "{{- $wrapped := printf \"{\\\"users\\\":%s}\" . -}}\n{{- $wrapped -}}",
                Some(Transform::WrapBody(String::from("users"))),
            ),
            (
                r#"{"value": [{{- range $n, $x := . }}{{ if $n }},{{ end }}{"value": {{ toJson $x }}}{{- end }}]}"#,
                Some(Transform::WrapScalarList),
            ),
            (
                r#"{"value": [{{- range $n, $x := . }}{{ if $n }},{{ end }}{"value": {{ toJson $n }}}{{- end }}]}"#,
                None,
            ),
            (r#"{"data": {{ toJson . }}}"#, None),
            (r#"{{ toJson . }}"#, None),
            ("", None),
        ] {
            assert_eq!(recognise(template), expected, "{template}");
        }
    }
}
