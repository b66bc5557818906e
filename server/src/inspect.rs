//! `doorward inspect`: why a token is accepted or refused.

mod report;
pub(crate) mod steps;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use doorward_verifier::{
    AwsLcRsa, Issuer, Jwks, KeySet, MAX_TOKEN_BYTES, OriginPattern, ScreenedToken, TokenBuffer, UnixTime,
    Verifier, VerifyError,
};
use thiserror::Error;

use crate::app::{clerk_settings, policy};
use crate::clerk::{ClerkApi, FetchedKeys};
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, Keys, Mistakes, Settings};
use crate::dev;
use crate::issuer::LocalIssuer;
use crate::terminal::{note, print};
use report::{Report, Verdict};

/// Say what is wrong with a token, and which setting or claim to change
///
/// Policy and keys are those of the settings, or of the local issuer in the data folder if the token is its.
/// Exit code: 0 accepted, 1 refused, 2 could not tell.
#[derive(clap::Args, Debug, Default)]
pub struct Args {
    /// As JSON: `code` is `ok` when the token is accepted
    #[arg(long)]
    json: bool,
    /// The keys, as a file that holds a JWKS: nothing is fetched
    #[arg(long, value_name = "FILE")]
    jwks: Option<PathBuf>,
    /// Who issues the tokens [default: as the settings say]
    #[arg(long, value_name = "URL", value_parser = |text: &str| Issuer::parse(text))]
    issuer: Option<Issuer>,
    /// An origin whose tokens are taken; may be repeated [default: as the settings say]
    #[arg(long, value_name = "ORIGIN", value_parser = |text: &str| OriginPattern::parse(text))]
    authorized_party: Vec<OriginPattern>,
    /// What a token without `azp` means [default: as the settings say]
    #[arg(long, value_name = "WORD", value_parser = ["refuse", "allow"])]
    missing_azp: Option<String>,
    /// The time to judge at, in seconds since 1970 [default: now]
    #[arg(long, value_name = "UNIX")]
    at: Option<u64>,
    /// The data folder of `doorward dev` [default: DATA_DIR, or ./.doorward]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The token, or - to read it from standard input, where no list of processes shows it
    #[arg(value_name = "TOKEN")]
    token: String,
}

/// A host that can't exist (RFC 2606): no token is of it.
const NO_INSTANCE: &str = "no-instance.invalid";

/// Why nothing could be said of the token.
#[derive(Debug, Error)]
enum InspectError {
    #[error(transparent)]
    Settings(#[from] Mistakes),
    #[error("{what}: {reason}")]
    Unusable { what: String, reason: String },
}

/// One instance that the token could be of.
struct Instance {
    config: Config,
    verifier: Verifier,
    keys: KeyPlace,
}

/// Where an instance's keys are.
enum KeyPlace {
    /// In this document.
    Document(Vec<u8>),
    /// Where the settings say.
    Settings,
}

/// Runs the command.
pub async fn run(args: Args) -> ExitCode {
    match inspect(&args).await {
        Ok(report) => {
            print(if args.json { report.to_json() } else { report.to_string() });
            report.exit_code()
        }
        Err(error) => {
            note(error);
            ExitCode::from(2)
        }
    }
}

async fn inspect(args: &Args) -> Result<Report, InspectError> {
    let token = args.token()?;
    let now = args.at.map_or_else(|| SystemClock.now(), UnixTime::from_secs);
    let instances = match args.instances() {
        Ok(instances) => instances,
        Err(error) => return args.without_instance(&token, now).ok_or(error),
    };
    let mut instances = instances.into_iter().peekable();
    while let Some(instance) = instances.next() {
        let mut buffer = Box::new(TokenBuffer::new());
        let screened = instance.verifier.screen(&token, &mut buffer);
        let of_another = matches!(screened, Err(VerifyError::WrongIss { .. }));
        if !of_another || instances.peek().is_none() {
            return instance.judge(screened, now).await;
        }
    }
    Err(unusable("the token", "no instance to judge it by"))
}

impl Instance {
    fn new(config: Config, keys: KeyPlace) -> Result<Instance, InspectError> {
        let policy = policy(&config).map_err(|error| unusable("the policy", error))?;
        Ok(Instance { config, verifier: Verifier::new(policy), keys })
    }

    async fn judge(
        &self,
        screened: Result<ScreenedToken<'_>, VerifyError>,
        now: UnixTime,
    ) -> Result<Report, InspectError> {
        let token = match screened {
            Ok(token) => token,
            Err(error) => return Ok(Report::new(Verdict::Refused(error), None, &self.config, now)),
        };
        let verdict = match self.keys().await? {
            Ok(keys) => match self.verifier.verify(&token, &keys, now) {
                Ok(principal) => Verdict::Accepted(Box::new(principal)),
                Err(error) => Verdict::Refused(error),
            },
            Err(reason) => Verdict::Untold(reason),
        };
        Ok(Report::new(verdict, Some(&token), &self.config, now))
    }

    /// The keys, or in words why they could not be had.
    async fn keys(&self) -> Result<Result<KeySet, String>, InspectError> {
        let issuer = &self.config.clerk.issuer;
        match (&self.keys, &self.config.clerk.keys) {
            (KeyPlace::Document(document), _) => Ok(Ok(key_set(issuer, document)?)),
            (KeyPlace::Settings, Keys::Configured(material)) => {
                let keys = material.key_set(issuer, &AwsLcRsa);
                Ok(Ok(keys.map_err(|error| unusable("CLERK_JWT_KEY", error))?))
            }
            (KeyPlace::Settings, Keys::Published(_)) => Ok(self.fetch().await),
        }
    }

    async fn fetch(&self) -> Result<KeySet, String> {
        let clerk = ClerkApi::new(clerk_settings(&self.config)).map_err(|error| error.to_string())?;
        match clerk.fetch_jwks(None).await.map_err(|error| error.to_string())? {
            FetchedKeys::Document { body, .. } => {
                key_set(&self.config.clerk.issuer, &body).map_err(|error| error.to_string())
            }
            FetchedKeys::NotModified => Err(format!("{} answers without a document", clerk.jwks_url())),
        }
    }
}

impl Args {
    /// The token, without what people copy along with it.
    fn token(&self) -> Result<String, InspectError> {
        let mut text = self.token.clone();
        if text == "-" {
            text.clear();
            let most = MAX_TOKEN_BYTES as u64 * 2;
            let read = std::io::stdin().lock().take(most).read_to_string(&mut text);
            read.map_err(|error| unusable("standard input", error))?;
        }
        let text = text.trim();
        Ok(text.strip_prefix("Bearer ").unwrap_or(text).to_owned())
    }

    /// What the token could be of: what was named here, or what the settings name and the local issuer.
    fn instances(&self) -> Result<Vec<Instance>, InspectError> {
        let settings = Settings::load(Path::new("."))?;
        let document = self.document()?;
        let configured = self.configured(&settings, document.clone());
        if self.issuer.is_some() {
            return Ok(vec![configured?]);
        }
        match (self.local(&settings, document)?, configured) {
            (Some(local), Ok(configured)) => Ok(vec![configured, local]),
            (Some(local), Err(_)) => Ok(vec![local]),
            (None, configured) => Ok(vec![configured?]),
        }
    }

    /// What is wrong with a token whatever instance it is of: a pasted key, `null`, half a token.
    fn without_instance(&self, token: &str, now: UnixTime) -> Option<Report> {
        let mut settings = Settings::load(Path::new(".")).ok()?;
        settings.set("CLERK_FRONTEND_API", NO_INSTANCE);
        let instance = Instance::new(Config::read(&settings).ok()?, KeyPlace::Settings).ok()?;
        let mut buffer = Box::new(TokenBuffer::new());
        match instance.verifier.screen(token, &mut buffer) {
            Ok(_) | Err(VerifyError::WrongIss { .. }) => None,
            Err(error) => Some(Report::new(Verdict::Refused(error), None, &instance.config, now)),
        }
    }

    fn configured(&self, settings: &Settings, document: Option<Vec<u8>>) -> Result<Instance, InspectError> {
        let mut settings = settings.clone();
        if let Some(issuer) = &self.issuer {
            for name in ["CLERK_PUBLISHABLE_KEY", "NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY", "CLERK_ISSUER"] {
                settings.unset(name);
            }
            settings.set("CLERK_FRONTEND_API", issuer.as_str());
        }
        let config = Config::read(&self.with_policy(settings))?;
        Instance::new(config, document.map_or(KeyPlace::Settings, KeyPlace::Document))
    }

    /// The local issuer of the data folder, if there is one: its keys are read from there, not fetched.
    fn local(
        &self,
        settings: &Settings,
        document: Option<Vec<u8>>,
    ) -> Result<Option<Instance>, InspectError> {
        let data_dir = self.data_dir.clone().unwrap_or_else(|| settings.data_dir());
        let Ok(issuer) = LocalIssuer::open(&data_dir) else { return Ok(None) };
        let settings = dev::settings(settings, &issuer, &data_dir);
        let config = Config::read(&self.with_policy(settings))?;
        let document = document.unwrap_or_else(|| issuer.jwks().to_string().into_bytes());
        Ok(Some(Instance::new(config, KeyPlace::Document(document))?))
    }

    fn with_policy(&self, mut settings: Settings) -> Settings {
        if !self.authorized_party.is_empty() {
            let parties: Vec<_> = self.authorized_party.iter().map(OriginPattern::as_str).collect();
            settings.set("AUTHORIZED_PARTIES", &parties.join(","));
        }
        if let Some(word) = &self.missing_azp {
            settings.set("MISSING_AZP", word);
        }
        settings
    }

    fn document(&self) -> Result<Option<Vec<u8>>, InspectError> {
        let Some(path) = &self.jwks else { return Ok(None) };
        let document = std::fs::read(path).map_err(|error| unusable(&path.display().to_string(), error))?;
        Ok(Some(document))
    }
}

fn key_set(issuer: &Issuer, document: &[u8]) -> Result<KeySet, InspectError> {
    let jwks = Jwks::parse(document).map_err(|error| unusable("the JWKS", error))?;
    Ok(KeySet::from_jwks(issuer, &jwks, &AwsLcRsa))
}

fn unusable(what: &str, reason: impl std::fmt::Display) -> InspectError {
    InspectError::Unusable { what: what.to_owned(), reason: reason.to_string() }
}
