//! What the README says of codes, settings and log lines is what the code has.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use doorward::config::SETTINGS;
use doorward::telemetry;
use doorward_verifier::{Code, Kind};

fn document(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

/// What stands between `<!-- NAME -->` and `<!-- /NAME -->`.
fn block<'a>(text: &'a str, name: &str) -> &'a str {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let from = text.find(&begin).unwrap_or_else(|| panic!("no {begin}")) + begin.len();
    let to = text.find(&end).unwrap_or_else(|| panic!("no {end}"));
    &text[from..to]
}

/// The first cell's code spans of each row of a table, its head left out.
fn first_cells(table: &str) -> Vec<String> {
    let rows = table.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|row| row.split('|').nth(1).unwrap_or_default().trim().to_owned()).collect()
}

fn codes() -> String {
    let mut table = String::from("| code | Clerk's reason | answer | what to do |\n|---|---|---|---|\n");
    for code in Code::ALL {
        let unavailable = if code.kind() == Kind::Unavailable { ", unavailable" } else { "" };
        let hint = code.hint().replace('|', "\\|");
        writeln!(table, "| `{code}` | `{}` | {}{unavailable} | {hint} |", code.reason(), code.status())
            .unwrap();
    }
    table
}

/// With `UPDATE_DOCUMENTS=1` the table is written instead.
#[test]
fn the_readme_lists_every_code_with_what_to_do() {
    let path = document("README.md");
    let text = fs::read_to_string(&path).unwrap();
    let (written, right) = (block(&text, "codes"), codes());
    if std::env::var_os("UPDATE_DOCUMENTS").is_some() {
        fs::write(
            &path,
            text.replace(&format!("<!-- codes -->\n{written}"), &format!("<!-- codes -->\n{right}")),
        )
        .unwrap();
        return;
    }
    assert_eq!(written, right, "run the tests with UPDATE_DOCUMENTS=1 to write the table");
}

#[test]
fn the_readme_and_the_example_file_explain_every_setting() {
    let readme = fs::read_to_string(document("README.md")).unwrap();
    let explained = first_cells(block(&readme, "settings")).join(" ");
    let example = fs::read_to_string(document(".env.example")).unwrap();
    for setting in SETTINGS {
        assert!(
            explained.contains(&format!("`{}`", setting.name)),
            "{} is not in the README's table",
            setting.name
        );
        assert!(
            example
                .lines()
                .any(|line| line.trim_start_matches("# ").starts_with(&format!("{}=", setting.name))),
            "{} is not in .env.example",
            setting.name
        );
        for other in setting.other_names {
            assert!(readme.contains(&format!("`{other}`")), "{other} is not in the README");
        }
    }
    let known = |name: &str| {
        SETTINGS.iter().any(|setting| setting.names().any(|known| known == name)) || name == "RUST_LOG"
    };
    for name in explained.split('`').filter(|name| name.contains('_') || name.chars().all(char::is_uppercase))
    {
        assert!(name.trim().is_empty() || known(name), "{name} is in the README's table and is no setting");
    }
}

#[test]
fn the_readme_lists_every_log_line_of_the_guide() {
    let readme = fs::read_to_string(document("README.md")).unwrap();
    let listed = first_cells(block(&readme, "log lines"));
    let lines = [
        telemetry::DATABASE_READY,
        telemetry::USING_CLERK,
        telemetry::TOKEN_VERIFIED,
        telemetry::AUTHENTICATED_BY_HEADER,
        telemetry::USER_CREATED,
        telemetry::JWKS_FAILED,
        telemetry::UNVERIFIED_IN_DEBUG,
        telemetry::MISSING_SUB,
        telemetry::INVALID_ISSUER,
        telemetry::NO_MATCHING_KEY,
        telemetry::VERIFICATION_ERROR,
        telemetry::NOT_VALIDATED,
    ];
    for line in lines {
        assert!(listed.iter().any(|cell| cell.contains(line)), "{line}");
    }
    assert_eq!(listed.len(), lines.len());
}

/// The texts of the lines that `text` writes at level info or above, up to the first value in each.
fn log_lines(text: &str) -> Vec<String> {
    let calls = ["info!(", "warn!(", "error!("].into_iter().flat_map(|name| text.split(name).skip(1));
    let literal = |call: &str| {
        let call = call.split(");").next().unwrap_or_default();
        let line = call.rsplit('"').nth(1).unwrap_or_default();
        line.split('{').next().unwrap_or_default().trim_end().to_owned()
    };
    calls.map(literal).filter(|line| !line.is_empty()).collect()
}

fn sources(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| match path.extension() {
            None => sources(&path),
            Some(kind) if kind == "rs" => vec![fs::read_to_string(&path).unwrap()],
            _ => Vec::new(),
        })
        .collect()
}

#[test]
fn every_other_log_line_is_explained() {
    let operating = fs::read_to_string(document("docs/operating.md")).unwrap();
    let explained = first_cells(block(&operating, "log lines")).join("\n");
    let written: Vec<String> =
        sources(&document("server/src")).iter().flat_map(|text| log_lines(text)).collect();
    assert!(written.len() > 25, "{written:?}");
    let missing: Vec<&String> = written.iter().filter(|line| !explained.contains(line.as_str())).collect();
    assert!(missing.is_empty(), "not in docs/operating.md: {missing:?}");
}

/// Each paragraph of a block that says so is in the file that it names, and that file is run.
#[test]
fn examples_are_parts_of_what_the_tests_run() {
    let mut found = 0;
    for name in ["README.md", "verifier-wasm/README.md"] {
        let text = fs::read_to_string(document(name)).unwrap();
        for part in text.split("<!-- not run: part of ").skip(1) {
            let (file, rest) = part.split_once(" -->\n```").unwrap();
            let (_, example) = rest.split_once('\n').unwrap();
            let (example, _) = example.split_once("```").unwrap();
            let source = fs::read_to_string(document(file)).unwrap();
            for paragraph in example.split("\n\n") {
                assert!(source.contains(paragraph.trim_end()), "{name}: not in {file}:\n{paragraph}");
                found += 1;
            }
        }
    }
    assert!(found > 0, "no document has an example");
}

/// Each test that ARCHITECTURE names against an attack is one.
#[test]
fn the_tests_against_attacks_are_there() {
    fn sources(folder: &Path, texts: &mut String) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let is_ours = |name: &str| !matches!(name, "node_modules" | "target" | "dist" | "corpus");
            if path.is_dir() && path.file_name().and_then(|name| name.to_str()).is_some_and(is_ours) {
                sources(&path, texts);
            } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "mjs") {
                texts.push_str(&fs::read_to_string(path).unwrap());
            }
        }
    }
    let mut texts = String::new();
    for folder in ["shared/src", "server/src", "tests"] {
        sources(&document(folder), &mut texts);
    }
    let architecture = fs::read_to_string(document("ARCHITECTURE.md")).unwrap();
    let rows = block(&architecture, "attacks").lines().skip(2);
    let mut named = 0;
    for name in rows.flat_map(|row| row.split('`').skip(1).step_by(2)).filter(|name| name.len() > 20) {
        named += 1;
        let is_test = texts.contains(&format!("fn {name}(")) || texts.contains(&format!("test(\"{name}\""));
        assert!(is_test, "{name}");
    }
    assert!(named >= 10);
}

/// What the engine's front file exports is what the README of the crate lists.
#[test]
fn the_engines_readme_lists_its_public_names() {
    let source = fs::read_to_string(document("shared/src/lib.rs")).unwrap();
    let exports = source.split("pub use ").skip(1).map(|rest| rest.split(';').next().unwrap_or_default());
    let mut exported: Vec<&str> = exports
        .flat_map(|path| path.rsplit("::").next().unwrap_or_default().split(['{', '}', ',', '\n', ' ']))
        .filter(|name| !name.is_empty())
        .collect();
    let readme = fs::read_to_string(document("shared/README.md")).unwrap();
    let table = readme.split("## ").find(|part| part.starts_with("What there is")).unwrap();
    let cells = first_cells(table).join(" ");
    let mut listed: Vec<&str> = cells.split('`').skip(1).step_by(2).collect();
    exported.sort_unstable();
    listed.sort_unstable();
    assert!(exported.len() > 50, "{exported:?}");
    assert_eq!(listed, exported);
}
