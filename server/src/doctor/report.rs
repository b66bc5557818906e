//! `Report`: what was found, and the guide's checklist that follows from it.

use std::fmt;
use std::process::ExitCode;

use serde::Serialize;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) enum Outcome {
    #[serde(rename = "passed")]
    Passed,
    #[serde(rename = "failed")]
    Failed,
    /// Nobody looked, so nobody knows.
    #[serde(rename = "not checked")]
    NotChecked,
}

/// What a check is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Topic {
    Settings,
    Health,
    Ready,
    PublicEndpoints,
    Jwks,
    Clock,
    SecretKey,
    ServerKeys,
    Cors,
    Registration,
    NoToken,
    BadToken,
    ValidToken,
    GoodToken,
    SameTokenAgain,
    ExpiredToken,
    FrontendToken,
    Database,
    Record,
}

/// One check.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Check {
    topic: Topic,
    outcome: Outcome,
    /// What was seen.
    detail: String,
    /// What to change.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

/// One line of the guide's checklist.
#[derive(Clone, Debug, Serialize)]
struct Line {
    line: &'static str,
    outcome: Outcome,
    detail: String,
}

/// Everything that was found.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    url: String,
    checks: Vec<Check>,
    checklist: Vec<Line>,
}

/// The guide's lines, and what must hold for each.
const CHECKLIST: [(&str, &[Topic]); 12] = [
    ("Backend starts without errors", &[Topic::Health, Topic::Ready]),
    ("JWKS endpoint is accessible", &[Topic::Jwks]),
    ("CORS headers are correct", &[Topic::Cors]),
    ("Health check returns 200", &[Topic::Health]),
    ("Registration endpoint works", &[Topic::Registration]),
    ("Frontend can sign in with Clerk", &[Topic::FrontendToken]),
    ("API requests include the Authorization header", &[]),
    ("Backend validates the Clerk token", &[Topic::NoToken, Topic::BadToken, Topic::ValidToken]),
    ("User is created or updated in MongoDB", &[Topic::Database, Topic::Record]),
    ("User data is returned", &[Topic::GoodToken]),
    ("Later requests work with the same token", &[Topic::SameTokenAgain]),
    ("Token expiration is handled correctly", &[Topic::ExpiredToken]),
];

/// For the line that nobody but the browser can answer for.
const ASK_THE_BROWSER: &str = "look at a request of the frontend in the browser's network tab";

impl Check {
    pub(super) fn passed(topic: Topic, detail: impl fmt::Display) -> Check {
        Check { topic, outcome: Outcome::Passed, detail: detail.to_string(), hint: None }
    }

    pub(super) fn failed(topic: Topic, detail: impl fmt::Display, hint: impl fmt::Display) -> Check {
        Check { topic, outcome: Outcome::Failed, detail: detail.to_string(), hint: Some(hint.to_string()) }
    }

    pub(super) fn not_checked(topic: Topic, why: impl fmt::Display) -> Check {
        Check { topic, outcome: Outcome::NotChecked, detail: why.to_string(), hint: None }
    }

    pub(super) fn is(&self, topic: Topic) -> bool {
        self.topic == topic
    }

    pub(super) fn has_passed(&self) -> bool {
        self.outcome == Outcome::Passed
    }
}

impl Report {
    pub(super) fn new(url: String, checks: Vec<Check>) -> Report {
        let checklist = CHECKLIST.iter().map(|(line, topics)| Line::of(line, topics, &checks)).collect();
        Report { url, checks, checklist }
    }

    /// 0 when nothing failed, 1 otherwise.
    pub(super) fn exit_code(&self) -> ExitCode {
        let failed = self.checks.iter().any(|check| check.outcome == Outcome::Failed);
        if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}

impl Line {
    /// Passed when everything that it rests on was seen to pass: a check that was not made passes nothing.
    fn of(line: &'static str, topics: &[Topic], checks: &[Check]) -> Line {
        let of_topic =
            |topic: &Topic| checks.iter().filter(|check| check.topic == *topic).collect::<Vec<_>>();
        let found: Vec<_> = topics.iter().map(of_topic).collect();
        let first = |outcome| found.iter().flatten().find(|check| check.outcome == outcome);
        if topics.is_empty() {
            return Line { line, outcome: Outcome::NotChecked, detail: ASK_THE_BROWSER.to_owned() };
        }
        if let Some(failed) = first(Outcome::Failed) {
            return Line { line, outcome: Outcome::Failed, detail: failed.detail.clone() };
        }
        if let Some(unseen) = first(Outcome::NotChecked) {
            return Line { line, outcome: Outcome::NotChecked, detail: unseen.detail.clone() };
        }
        let seen = found.iter().all(|checks| !checks.is_empty());
        let outcome = if seen { Outcome::Passed } else { Outcome::NotChecked };
        let detail = first(Outcome::Passed).map_or_else(String::new, |check| check.detail.clone());
        Line { line, outcome, detail }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "doorward doctor: {}\n", self.url)?;
        for check in &self.checks {
            writeln!(f, "{} {}: {}", check.outcome.mark(), check.topic.name(), check.detail)?;
            if let Some(hint) = &check.hint {
                writeln!(f, "    → {hint}")?;
            }
        }
        writeln!(f, "\nThe guide's checklist")?;
        for line in &self.checklist {
            writeln!(f, "{} {:<11} {}", line.outcome.mark(), line.outcome.word(), line.line)?;
        }
        let count = |outcome| self.checks.iter().filter(|check| check.outcome == outcome).count();
        let [passed, failed, unseen] = [Outcome::Passed, Outcome::Failed, Outcome::NotChecked].map(count);
        write!(f, "\nChecks: {passed} passed, {failed} failed, {unseen} not checked")
    }
}

impl Outcome {
    fn word(self) -> &'static str {
        match self {
            Outcome::Passed => "passed",
            Outcome::Failed => "failed",
            Outcome::NotChecked => "not checked",
        }
    }

    fn mark(self) -> char {
        match self {
            Outcome::Passed => '✓',
            Outcome::Failed => '✗',
            Outcome::NotChecked => '·',
        }
    }
}

impl Topic {
    fn name(self) -> &'static str {
        match self {
            Topic::Settings => "settings",
            Topic::Health => "health",
            Topic::Ready => "ready",
            Topic::PublicEndpoints => "public endpoints",
            Topic::Jwks => "JWKS",
            Topic::Clock => "clock",
            Topic::SecretKey => "secret key",
            Topic::ServerKeys => "the server's keys",
            Topic::Cors => "CORS",
            Topic::Registration => "registration",
            Topic::NoToken => "no token",
            Topic::BadToken => "a bad token",
            Topic::ValidToken => "a valid token",
            Topic::GoodToken => "a good token",
            Topic::SameTokenAgain => "the same token again",
            Topic::ExpiredToken => "an expired token",
            Topic::FrontendToken => "a token from the frontend",
            Topic::Database => "MongoDB",
            Topic::Record => "the user in MongoDB",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(topics: &[Topic], checks: &[Check]) -> Outcome {
        Line::of("a line", topics, checks).outcome
    }

    #[test]
    fn a_line_passes_only_when_everything_was_seen_to_pass() {
        let health = Check::passed(Topic::Health, "200");
        let both = [Topic::Health, Topic::Ready];
        assert_eq!(line(&both, std::slice::from_ref(&health)), Outcome::NotChecked);
        assert_eq!(line(&both, &[health.clone(), Check::passed(Topic::Ready, "200")]), Outcome::Passed);
        assert_eq!(
            line(&both, &[health.clone(), Check::not_checked(Topic::Ready, "why")]),
            Outcome::NotChecked
        );
        assert_eq!(line(&both, &[health, Check::failed(Topic::Ready, "503", "wait")]), Outcome::Failed);
        assert_eq!(line(&[], &[]), Outcome::NotChecked);
    }

    #[test]
    fn one_origin_that_fails_fails_the_line() {
        let checks = [Check::passed(Topic::Cors, "a"), Check::failed(Topic::Cors, "b", "c")];
        assert_eq!(line(&[Topic::Cors], &checks), Outcome::Failed);
    }

    #[test]
    fn nothing_seen_is_nothing_passed_and_nothing_failed() {
        let report = Report::new(String::new(), Vec::new());
        assert_eq!(report.checklist.len(), 12);
        assert!(report.checklist.iter().all(|line| line.outcome == Outcome::NotChecked));
    }
}
