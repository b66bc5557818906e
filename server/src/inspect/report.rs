//! `Report`: what is said of a token, for people and for programs.

use std::fmt;
use std::process::ExitCode;

use doorward_verifier::{
    AuthorizedParties, Code, Kind, MissingAzp, Principal, ScreenedToken, UnixTime, VerifyError,
};
use serde_json::{Map, Value, json};

use crate::clock::rfc3339;
use crate::config::Config;

use super::steps::{STEPS, step_of};

/// What came of it.
pub(super) enum Verdict {
    Accepted(Box<Principal>),
    Refused(VerifyError),
    /// The keys could not be had: why.
    Untold(String),
}

/// The claims that are times.
const TIMES: [&str; 3] = ["iat", "nbf", "exp"];

/// A verdict, and what it rests on.
pub(super) struct Report {
    verdict: Verdict,
    kid: Option<String>,
    claims: Option<Map<String, Value>>,
    policy: Value,
    at: UnixTime,
}

impl Report {
    pub(super) fn new(
        verdict: Verdict,
        token: Option<&ScreenedToken<'_>>,
        config: &Config,
        at: UnixTime,
    ) -> Report {
        let claims = token.and_then(|token| serde_json::from_str(token.unverified_claims_json()).ok());
        let kid = token.map(|token| token.key_id().to_string());
        Report { verdict, kid, claims, policy: policy(config), at }
    }

    pub(super) fn exit_code(&self) -> ExitCode {
        match &self.verdict {
            Verdict::Accepted(_) => ExitCode::SUCCESS,
            Verdict::Refused(_) => ExitCode::FAILURE,
            Verdict::Untold(_) => ExitCode::from(2),
        }
    }

    pub(super) fn to_json(&self) -> String {
        let report = json!({
            "code": self.code().map_or("ok", Code::as_str),
            "reason": self.code().map(Code::reason),
            "kind": self.code().map_or("accepted", |code| code.kind().as_str()),
            "detail": self.detail(),
            "hint": self.code().map(Code::hint),
            "steps": self.steps().map(|(step, outcome)| json!({ "step": step, "outcome": outcome })).collect::<Vec<_>>(),
            "kid": self.kid,
            "claims": self.claims,
            "claims_verified": self.signature_holds(),
            "times": self.times().map(|(name, date)| (name.to_owned(), date.into())).collect::<Map<_, _>>(),
            "at": rfc3339(self.at),
            "policy": self.policy,
        });
        format!("{report:#}")
    }

    /// The code of whatever is not yes.
    fn code(&self) -> Option<Code> {
        match &self.verdict {
            Verdict::Accepted(_) => None,
            Verdict::Refused(error) => Some(error.code()),
            Verdict::Untold(_) => Some(Code::KeysUnavailable),
        }
    }

    fn detail(&self) -> Option<String> {
        match &self.verdict {
            Verdict::Accepted(_) => None,
            Verdict::Refused(error) => Some(error.to_string()),
            Verdict::Untold(reason) => Some(reason.clone()),
        }
    }

    /// How far the token came.
    fn steps(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let failed_at = self.code().map_or(STEPS.len(), step_of);
        STEPS.iter().enumerate().map(move |(index, step)| match index.cmp(&failed_at) {
            std::cmp::Ordering::Less => (step.name, "passed"),
            std::cmp::Ordering::Equal => (step.name, "failed"),
            std::cmp::Ordering::Greater => (step.name, "not reached"),
        })
    }

    fn signature_holds(&self) -> bool {
        self.steps().any(|step| step == ("signature", "passed"))
    }

    /// The claims that are times, as dates.
    fn times(&self) -> impl Iterator<Item = (&'static str, String)> {
        TIMES.into_iter().filter_map(|name| {
            let secs = self.claims.as_ref()?.get(name)?.as_f64()?;
            // Beyond what a date can say, the greatest one stands for it.
            Some((name, rfc3339(UnixTime::from_secs(secs.max(0.0) as u64))))
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_verdict(f)?;
        for (step, outcome) in self.steps() {
            let mark = match outcome {
                "passed" => '✓',
                "failed" => '✗',
                _ => '·',
            };
            writeln!(f, "  {mark} {step:<10}{}", if outcome == "passed" { "" } else { outcome })?;
        }
        self.fmt_claims(f)?;
        write!(f, "\njudged at {} under {}", rfc3339(self.at), self.policy)
    }
}

impl Report {
    fn fmt_verdict(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Verdict::Accepted(principal) = &self.verdict {
            return writeln!(f, "accepted: {}\n", principal.user_id());
        }
        let (Some(code), Some(detail)) = (self.code(), self.detail()) else { return Ok(()) };
        let verdict = if code.kind() == Kind::Refused { "refused" } else { "could not tell" };
        writeln!(f, "{verdict}: {code} (Clerk's word: {})", code.reason())?;
        writeln!(f, "  {detail}\n  → {}\n", code.hint())
    }

    fn fmt_claims(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(claims) = &self.claims else { return Ok(()) };
        let standing =
            if self.signature_holds() { "" } else { ", not verified: anybody can have written them" };
        writeln!(f, "\nclaims{standing}:\n{:#}", Value::Object(claims.clone()))?;
        self.times().try_for_each(|(name, date)| writeln!(f, "  {name}  {date}"))
    }
}

fn policy(config: &Config) -> Value {
    let parties = match &config.tokens.authorized_parties {
        AuthorizedParties::AnyParty => json!(AuthorizedParties::ANY_PARTY),
        AuthorizedParties::Only(origins) => origins.iter().map(|origin| origin.as_str()).collect(),
    };
    json!({
        "issuer": config.clerk.issuer.as_str(),
        "aliases": config.clerk.aliases.iter().map(|alias| alias.as_str()).collect::<Vec<_>>(),
        "authorized_parties": parties,
        "missing_azp": if config.tokens.missing_azp == MissingAzp::Allow { "allow" } else { "refuse" },
        "template_audience": config.tokens.template_audience,
    })
}
