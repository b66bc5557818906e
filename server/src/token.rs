//! `doorward token`: session tokens from the local issuer.

use std::path::PathBuf;
use std::process::ExitCode;

use doorward_verifier::UnixTime;
use serde_json::{Map, Value};

use crate::clock::{Clock, SystemClock};
use crate::issuer::{IssuerError, LocalIssuer, first_user};
use crate::mint::{Shape, mint};
use crate::terminal::{data_dir, note, print};
use crate::user::UserId;

/// Print a session token of the local issuer
///
/// The issuer is the one that `doorward dev` made in the data folder. The token alone goes to standard output.
/// Exit code: 0 minted, 1 not, 2 for a command line or settings that are wrong.
#[derive(clap::Args, Debug, Default)]
pub struct Args {
    /// The data folder of `doorward dev` [default: DATA_DIR, or ./.doorward]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Whom the token is for; made up, if the issuer has no such user [default: user_ada]
    #[arg(long, value_name = "ID", value_parser = UserId::parse)]
    user: Option<UserId>,
    /// A token that was good an hour ago
    #[arg(long)]
    expired: bool,
    /// Signed with a key that the issuer does not publish, under its `kid`
    #[arg(long)]
    forged: bool,
    /// The origin in `azp` [default: http://localhost:3000]
    #[arg(long, value_name = "ORIGIN")]
    azp: Option<String>,
    /// Claims in place of those that the token would have, as a JSON object; null takes one away
    #[arg(long, value_name = "JSON", value_parser = json_object)]
    claims: Option<Map<String, Value>>,
    /// The claims of version 1, as instances issued them before 2025
    #[arg(long)]
    v1: bool,
    /// With an active organization [its slug, if not named: acme]
    #[arg(long, value_name = "SLUG", num_args = 0..=1, default_missing_value = "acme")]
    org: Option<String>,
    /// The session has a task left to do
    #[arg(long)]
    pending: bool,
    /// Somebody of the team acts as the user
    #[arg(long)]
    impersonated: bool,
    /// From a JWT template, for an audience [if not named: doorward]
    #[arg(long, value_name = "AUDIENCE", num_args = 0..=1, default_missing_value = "doorward")]
    template: Option<String>,
}

/// Runs the command.
pub async fn run(args: Args) -> ExitCode {
    let data_dir = match data_dir(args.data_dir.clone()) {
        Ok(data_dir) => data_dir,
        Err(mistakes) => return crate::show::refuse(&mistakes),
    };
    let minted = LocalIssuer::open(&data_dir).and_then(|issuer| args.mint(&issuer, SystemClock.now()));
    match minted {
        Ok(token) => {
            print(token);
            ExitCode::SUCCESS
        }
        Err(error) => {
            note(error);
            ExitCode::FAILURE
        }
    }
}

impl Args {
    fn mint(self, issuer: &LocalIssuer, now: UnixTime) -> Result<String, IssuerError> {
        let user = self.user.clone().map_or_else(first_user, Ok)?;
        if issuer.ensure_account(&user, now)? {
            note(format_args!("made {user}: see {}", issuer.folder().join("users").display()));
        }
        mint(issuer, &user, &self.into_shape(), now)
    }

    fn into_shape(self) -> Shape {
        Shape {
            v1: self.v1,
            organization: self.org,
            pending: self.pending,
            expired: self.expired,
            forged: self.forged,
            impersonated: self.impersonated,
            template: self.template,
            authorized_party: self.azp,
            claims: self.claims.unwrap_or_default(),
        }
    }
}

fn json_object(text: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(text).map_err(|error| format!("not a JSON object: {error}"))
}
