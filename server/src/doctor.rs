//! `doorward doctor`: the guide's diagnostic.

mod database;
mod date;
mod http;
mod instance;
mod report;
mod server;
mod tokens;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use doorward_verifier::{KeySet, Principal, TokenBuffer, UnixTime, Verifier};
use reqwest::Url;

use crate::app::policy;
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, Http, Mistakes, Settings};
use crate::dev;
use crate::issuer::LocalIssuer;
use crate::terminal::print;
use crate::user::UserId;
use http::Asker;
use report::{Check, Report, Topic};
use server::Server;
use tokens::Tokens;

/// Check a running server, step by step
///
/// Run it where the server runs, with its settings: in the container, `docker compose exec api doorward doctor`. It
/// creates nobody; a token that it is given is used as its user would. Exit code: 0 when nothing failed, 1 otherwise.
#[derive(clap::Args, Debug, Default)]
pub struct Args {
    /// The server's address [default: HOST and PORT of the settings]
    #[arg(long, value_name = "URL", value_parser = server_address)]
    url: Option<Url>,
    /// A fresh session token: in the browser's console, await window.Clerk.session.getToken()
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// Have the Backend API make a token for this user, with a test secret key
    #[arg(long, value_name = "ID", value_parser = UserId::parse, conflicts_with = "token")]
    user: Option<UserId>,
    /// The data folder of `doorward dev`, whose issuer takes the place of the settings' [default: DATA_DIR, or
    /// ./.doorward, where the settings name no instance]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// What the server should be running with.
struct Expected {
    config: Option<Config>,
    issuer: Option<LocalIssuer>,
    check: Check,
}

/// Runs the command.
pub async fn run(args: Args) -> ExitCode {
    let report = examine(&args, &SystemClock).await;
    if args.json {
        print(serde_json::to_string_pretty(&report).unwrap_or_default());
    } else {
        print(&report);
    }
    report.exit_code()
}

async fn examine(args: &Args, clock: &dyn Clock) -> Report {
    let expected = Expected::find(args);
    let url = args.url.as_ref().map_or_else(|| expected.url(), Url::to_string);
    let mut checks = vec![expected.check.clone()];
    let keys = match &expected.config {
        Some(config) => {
            let findings = instance::examine(config, clock).await;
            checks.extend(findings.checks);
            findings.keys
        }
        None => None,
    };
    match Asker::new(&url) {
        Ok(asker) => {
            checks.extend(
                examine_server(args, &Server::new(asker), &expected, keys.as_ref(), clock.now()).await,
            );
        }
        Err(error) => {
            let hint = "TLS needs the CA files of the system: install ca-certificates";
            checks.push(Check::failed(Topic::Health, error, hint));
        }
    }
    Report::new(url, checks)
}

async fn examine_server(
    args: &Args,
    server: &Server,
    expected: &Expected,
    keys: Option<&KeySet>,
    now: UnixTime,
) -> Vec<Check> {
    let mut checks = vec![server.health().await];
    if checks.iter().all(Check::has_passed) {
        checks.push(server.ready().await);
        checks.push(server.public_endpoints().await);
        checks.extend(examine_cors(server, expected.config.as_ref()).await);
        checks.push(server.registration().await);
        checks.push(server.no_token().await);
        if let Some(keys) = keys {
            checks.push(server.keys(keys).await);
        }
        checks.extend(examine_tokens(args, server, expected, keys, now).await);
    } else if let Some(config) = &expected.config {
        checks.extend(database::examine(config, None).await);
    }
    checks
}

async fn examine_cors(server: &Server, config: Option<&Config>) -> Vec<Check> {
    let origins = config.map(|config| config.http.cors_origins.as_slice()).unwrap_or_default();
    if origins.is_empty() {
        return vec![Check::not_checked(Topic::Cors, "the settings name no origin: set CORS_ORIGINS")];
    }
    let mut checks = Vec::new();
    for origin in origins {
        checks.push(server.cors(origin).await);
    }
    checks.push(server.cors_of_a_stranger().await);
    checks
}

async fn examine_tokens(
    args: &Args,
    server: &Server,
    expected: &Expected,
    keys: Option<&KeySet>,
    now: UnixTime,
) -> Vec<Check> {
    let config = expected.config.as_ref();
    let tokens = tokens(args, expected, now).await;
    let forged = tokens::forged(tokens.good.as_deref(), config, keys, now);
    let mut checks = vec![server.bad_token(&forged).await];
    let principal = tokens.good.as_deref().and_then(|token| principal(token, config?, keys?, now));
    match &tokens.good {
        Some(good) => checks.extend(server.good_token(good, principal.as_ref()).await),
        None => checks.extend(
            [Topic::ValidToken, Topic::GoodToken].map(|topic| Check::not_checked(topic, &tokens.why_none)),
        ),
    }
    let accepted = checks.iter().any(|check| check.is(Topic::GoodToken) && check.has_passed());
    let principal = principal.filter(|_| accepted);
    if let Some(expired) = &tokens.expired {
        checks.push(server.expired_token(expired).await);
    }
    checks.push(frontend_token(args, principal.as_ref()));
    if let Some(config) = config {
        checks.extend(database::examine(config, principal.as_ref().map(UserId::from).as_ref()).await);
    }
    checks
}

async fn tokens(args: &Args, expected: &Expected, now: UnixTime) -> Tokens {
    match (&args.token, &args.user, &expected.issuer, &expected.config) {
        (Some(token), ..) => Tokens::given(token),
        (None, Some(user), _, Some(config)) => Tokens::of_backend_api(config, user).await,
        (None, None, Some(issuer), _) => Tokens::of_local_issuer(issuer, now),
        _ => Tokens::none(
            "give one with --token: in the browser's console, await window.Clerk.session.getToken()",
        ),
    }
}

/// What the engine here makes of the token, under the policy that the server should have.
fn principal(token: &str, config: &Config, keys: &KeySet, now: UnixTime) -> Option<Principal> {
    let verifier = Verifier::new(policy(config).ok()?);
    let mut buffer = Box::new(TokenBuffer::new());
    let screened = verifier.screen(token, &mut buffer).ok()?;
    verifier.verify(&screened, keys, now).ok()
}

/// A token that was given, was accepted and names an origin was made while somebody was signed in there.
fn frontend_token(args: &Args, principal: Option<&Principal>) -> Check {
    match principal.and_then(Principal::authorized_party) {
        Some(origin) if args.token.is_some() => {
            Check::passed(Topic::FrontendToken, format_args!("somebody is signed in at {origin}"))
        }
        _ => {
            Check::not_checked(Topic::FrontendToken, "no token of a signed-in browser was given and accepted")
        }
    }
}

impl Expected {
    /// The settings', or those of the local issuer: where its folder was named, or the settings name no instance.
    fn find(args: &Args) -> Expected {
        let settings = match Settings::load(Path::new(".")) {
            Ok(settings) => settings,
            Err(mistakes) => return Expected::wrong(&mistakes),
        };
        let data_dir = args.data_dir.clone().unwrap_or_else(|| settings.data_dir());
        let configured = Config::read(&settings);
        match (configured, LocalIssuer::open(&data_dir)) {
            (Ok(config), _) if args.data_dir.is_none() => Expected::of(config, None),
            (_, Ok(issuer)) => match Config::read(&dev::settings(&settings, &issuer, &data_dir)) {
                Ok(config) => Expected::of(config, Some(issuer)),
                Err(mistakes) => Expected::wrong(&mistakes),
            },
            (Err(mistakes), Err(_)) => Expected::wrong(&mistakes),
            (Ok(_), Err(error)) => Expected {
                config: None,
                issuer: None,
                check: Check::failed(Topic::Settings, error, "name the folder of a `doorward dev`"),
            },
        }
    }

    fn of(config: Config, issuer: Option<LocalIssuer>) -> Expected {
        let issued = &config.clerk.issuer;
        let detail = match &issuer {
            Some(_) => format!("the local issuer {issued}"),
            None => format!("the issuer is {issued}"),
        };
        Expected { config: Some(config), issuer, check: Check::passed(Topic::Settings, detail) }
    }

    fn wrong(mistakes: &Mistakes) -> Expected {
        let hint = "run doctor with the server's settings: in its container, or beside its .env";
        Expected { config: None, issuer: None, check: Check::failed(Topic::Settings, mistakes, hint) }
    }

    fn url(&self) -> String {
        self.config
            .as_ref()
            .map_or_else(|| "http://127.0.0.1:8000".to_owned(), |config| address_of(&config.http))
    }
}

/// Where a server that listens so can be asked from the same machine.
fn address_of(http: &Http) -> String {
    let host = match http.host.parse() {
        Ok(IpAddr::V4(address)) if address.is_unspecified() => "127.0.0.1".to_owned(),
        Ok(IpAddr::V6(address)) if address.is_unspecified() => "[::1]".to_owned(),
        Ok(IpAddr::V6(address)) => format!("[{address}]"),
        _ => http.host.clone(),
    };
    format!("http://{host}:{}", http.port)
}

fn server_address(text: &str) -> Result<Url, String> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(url),
        _ => Err("expected the server's address, such as http://127.0.0.1:8000".to_owned()),
    }
}
