//! `doorward dev`: the server on loopback, with an issuer of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tracing::warn;

use crate::app::{App, AppError};
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, Mistakes, Settings};
use crate::issuer::{self, BoundIssuer, Event, IssuerError, LocalIssuer};
use crate::mint::{Shape, mint};
use crate::shutdown::Shutdown;
use crate::store::{OnLoss, StoreError};
use crate::telemetry;
use crate::terminal::{note, print};
use crate::user::{Change, UserId};

/// Settings that hold here, too. All others say whose tokens are taken and where users are kept, which is what
/// this command decides.
const KEPT: [&str; 13] = [
    "MISSING_AZP",
    "TEMPLATE_AUDIENCE",
    "COOKIE_AUTH",
    "CORS_ORIGINS",
    "BACKEND_CORS_ORIGINS",
    "CORS_EXTRA_ORIGINS",
    "CLERK_WEBHOOK_SIGNING_SECRET",
    "INSPECTOR_DIR",
    "STORE_STALE_SECS",
    "JWKS_HARD_AGE_SECS",
    "LOG_FORMAT",
    "LOG_USER_ID",
    "RUST_LOG",
];

/// Serve on loopback with a local issuer: needs no account and no network
///
/// The first line printed is the server's address. Ctrl-C ends it; users, keys and the issuer stay in the data folder.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    change: Option<Happening>,
    /// The loopback address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8000", value_parser = loopback)]
    listen: SocketAddr,
    /// The folder of the store and the issuer [default: DATA_DIR, or ./.doorward]
    #[arg(long, value_name = "DIR", global = true)]
    data_dir: Option<PathBuf>,
    /// Go on with what is there when the store holds less than it acknowledged
    #[arg(long)]
    accept_data_loss: bool,
}

/// What happens at an issuer, also while it runs.
#[derive(clap::Subcommand, Debug)]
enum Happening {
    /// Sign with a new key from now on, and publish that one alone
    RotateKey,
    /// End a user's session, whose tokens are then refused; the next token is of a new session
    Revoke {
        /// Whose
        #[arg(value_name = "USER", default_value = "user_ada", value_parser = UserId::parse)]
        user: UserId,
    },
}

/// Why nothing is served.
#[derive(Debug, Error)]
enum DevError {
    #[error(transparent)]
    Settings(#[from] Mistakes),
    #[error("{address}: {source}: end what listens there, or say --listen 127.0.0.1:0")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    #[error(transparent)]
    App(#[from] AppError),
    #[error("the running issuer could not be told: {0}")]
    Tell(#[from] reqwest::Error),
    #[error("signals can not be listened to: {0}")]
    Signals(std::io::Error),
    #[error("what was in memory could not be written down: {0}")]
    Close(#[from] StoreError),
}

/// Runs the command.
pub async fn run(args: Args) -> ExitCode {
    match dev(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(DevError::Settings(mistakes)) => crate::show::refuse(&mistakes),
        Err(error) => {
            note(error);
            ExitCode::FAILURE
        }
    }
}

async fn dev(args: Args) -> Result<(), DevError> {
    let clock = Arc::new(SystemClock);
    let given = Settings::load(Path::new("."))?;
    let data_dir = args.data_dir.unwrap_or_else(|| given.data_dir());
    if let Some(change) = args.change {
        return happen(&change, &data_dir).await;
    }
    let (listener, address) = listen(args.listen).await?;
    let bound = LocalIssuer::bind(&data_dir, clock.now()).await?;
    let config = Config::read(&settings(&given, &bound.issuer, &data_dir))?;
    let _logging = telemetry::init(&config.log);
    config.warnings().iter().for_each(|warning| warn!("{warning}"));
    print(format_args!("doorward listens on http://{address}"));
    let shutdown = Shutdown::on_signal().map_err(DevError::Signals)?;
    let (issuer, told) = answer(bound, &shutdown);
    let on_loss = if args.accept_data_loss { OnLoss::Accept } else { OnLoss::Refuse };
    let mut stopped = shutdown.clone();
    let app = tokio::select! {
        app = App::open(config, on_loss, clock.clone()) => app?,
        () = stopped.requested() => return Ok(()),
    };
    tokio::spawn(pass_on(told, Arc::clone(&app)));
    welcome(&issuer.0, address, &data_dir, clock.as_ref())?;
    crate::serve(Arc::clone(&app), listener, shutdown).await;
    Ok(app.close().await?)
}

async fn happen(change: &Happening, data_dir: &Path) -> Result<(), DevError> {
    let mut issuer = LocalIssuer::open(data_dir)?;
    match change {
        Happening::RotateKey => {
            print(format_args!("tokens are signed with {} from now on", issuer.rotate_key()?))
        }
        Happening::Revoke { user } => {
            let session = issuer.session_id(user)?;
            let url = format!("{}/v1/sessions/{session}/revoke", issuer.issuer());
            let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build()?;
            match client.post(url).bearer_auth(issuer.secret_key()).send().await {
                Ok(answer) => drop(answer.error_for_status()?),
                // It does not run, and there is no server that would have to hear of it.
                Err(error) if error.is_connect() => drop(issuer.end_session(user)?),
                Err(error) => return Err(error.into()),
            }
            print(format_args!("{session} has ended"));
        }
    }
    Ok(())
}

/// Tells the server what happens at the issuer, which Clerk would send a webhook about.
async fn pass_on(mut told: mpsc::UnboundedReceiver<Event>, app: Arc<App>) {
    while let Some(event) = told.recv().await {
        let outcome = match event {
            Event::Changed(id, identity) => app.users.record(&id, Change::Identified(identity)).await,
            Event::Deleted(id) => app.users.record(&id, Change::Deleted).await,
            Event::Ended(session) => app.users.end_session(&session).await,
        };
        if let Err(error) = outcome {
            warn!(%error, "the server did not take what happened at the issuer");
        }
    }
}

async fn listen(wanted: SocketAddr) -> Result<(TcpListener, SocketAddr), DevError> {
    let refused = |source| DevError::Listen { address: wanted, source };
    let listener = TcpListener::bind(wanted).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    Ok((listener, address))
}

/// Has the issuer answer until the server stops. The lock of its folder is held as long as what is given back.
fn answer(
    bound: BoundIssuer,
    shutdown: &Shutdown,
) -> ((Arc<LocalIssuer>, issuer::FolderLock), mpsc::UnboundedReceiver<Event>) {
    if let Some(former) = &bound.moved_from {
        note(format_args!(
            "the port of {former} is taken: the issuer moved, and its earlier tokens are refused"
        ));
    }
    let (issuer, listener, lock) = bound.into_parts();
    let (issuer, mut shutdown) = (Arc::new(issuer), shutdown.clone());
    let stop = async move { shutdown.requested().await };
    let (sender, told) = mpsc::unbounded_channel();
    tokio::spawn(issuer::serve(Arc::clone(&issuer), Arc::new(SystemClock), listener, sender, stop));
    ((issuer, lock), told)
}

fn welcome(
    issuer: &LocalIssuer,
    server: SocketAddr,
    data_dir: &Path,
    clock: &dyn Clock,
) -> Result<(), IssuerError> {
    let token = mint(issuer, &issuer::first_user()?, &Shape::default(), clock.now())?;
    print(format_args!(
        "\n  curl -H \"Authorization: Bearer {token}\" http://{server}/api/auth/me\n\n\
         This token is good for ten minutes; another: doorward token --data-dir {}\n\
         The issuer answers at {}; for a frontend: CLERK_PUBLISHABLE_KEY={}\n\
         and, where it uses Clerk's own code, NEXT_PUBLIC_CLERK_PROXY_URL=http://localhost:{}\n\
         Ctrl-C ends both.\n",
        shell_word(&data_dir.display().to_string()),
        issuer.issuer(),
        issuer.publishable_key(),
        issuer.port(),
    ));
    Ok(())
}

/// The settings of a server in front of this issuer.
pub(crate) fn settings(given: &Settings, issuer: &LocalIssuer, data_dir: &Path) -> Settings {
    let kept = KEPT.into_iter().filter_map(|name| Some((name.to_owned(), given.get(name)?.value)));
    let data_dir = data_dir.display().to_string();
    let own = [
        ("CLERK_PUBLISHABLE_KEY", issuer.publishable_key()),
        ("CLERK_SECRET_KEY", issuer.secret_key()),
        ("CLERK_API_URL", issuer.issuer()),
        ("STORE", "embedded"),
        ("DATA_DIR", &data_dir),
    ];
    Settings::new(kept.chain(own.map(|(name, value)| (name.to_owned(), value.to_owned()))), [])
}

fn loopback(text: &str) -> Result<SocketAddr, String> {
    let spelled = text.replacen("localhost:", "127.0.0.1:", 1);
    match spelled.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_loopback() => Ok(address),
        Ok(address) => Err(format!(
            "others can reach {}, and anybody may mint tokens here: take 127.0.0.1 or [::1], or `doorward serve`",
            address.ip()
        )),
        Err(_) => Err("expected an address and a port, such as 127.0.0.1:8000".to_owned()),
    }
}

/// As a shell reads it back.
fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_addresses_are_listened_on() {
        assert!(
            loopback("127.0.0.1:0").is_ok()
                && loopback("[::1]:8000").is_ok()
                && loopback("localhost:80").is_ok()
        );
        for other in ["0.0.0.0:8000", "[::]:8000", "192.168.0.1:8000", "127.0.0.1", "example.com:80"] {
            assert!(loopback(other).is_err(), "{other}");
        }
    }

    #[test]
    fn a_folder_can_be_pasted_back() {
        assert_eq!(shell_word("./.doorward"), "./.doorward");
        assert_eq!(shell_word("it's here"), r"'it'\''s here'");
    }
}
