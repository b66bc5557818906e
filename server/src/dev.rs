//! `doorward dev`: the server on loopback, with an issuer of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use thiserror::Error;
use tokio::net::TcpListener;
use tracing::warn;

use crate::app::{App, AppError};
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, Mistakes, Settings};
use crate::issuer::{self, BoundIssuer, IssuerError, LocalIssuer};
use crate::mint::{Shape, mint};
use crate::shutdown::Shutdown;
use crate::store::{OnLoss, StoreError};
use crate::telemetry;
use crate::terminal::{note, print};

/// Settings that hold here, too. All others say whose tokens are taken and where users are kept, which is what
/// this command decides.
const KEPT: [&str; 11] = [
    "MISSING_AZP",
    "TEMPLATE_AUDIENCE",
    "COOKIE_AUTH",
    "CORS_ORIGINS",
    "BACKEND_CORS_ORIGINS",
    "CORS_EXTRA_ORIGINS",
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
    /// The loopback address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8000", value_parser = loopback)]
    listen: SocketAddr,
    /// The folder of the store and the issuer [default: DATA_DIR, or ./.doorward]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Go on with what is there when the store holds less than it acknowledged
    #[arg(long)]
    accept_data_loss: bool,
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
    let given = Settings::load(Path::new(".")).map_err(Mistakes::from)?;
    let data_dir = args.data_dir.unwrap_or_else(|| given.data_dir());
    let (listener, address) = listen(args.listen).await?;
    let bound = LocalIssuer::bind(&data_dir, clock.now()).await?;
    let config = Config::read(&settings(&given, &bound.issuer, &data_dir))?;
    let _logging = telemetry::init(&config.log);
    config.warnings().iter().for_each(|warning| warn!("{warning}"));
    print(format_args!("doorward listens on http://{address}"));
    let shutdown = Shutdown::on_signal().map_err(DevError::Signals)?;
    let issuer = answer(bound, &shutdown);
    let on_loss = if args.accept_data_loss { OnLoss::Accept } else { OnLoss::Refuse };
    let app = App::open(config, on_loss, clock.clone()).await?;
    welcome(&issuer.0, address, &data_dir, clock.as_ref())?;
    crate::serve(Arc::clone(&app), listener, shutdown).await;
    Ok(app.close().await?)
}

async fn listen(wanted: SocketAddr) -> Result<(TcpListener, SocketAddr), DevError> {
    let refused = |source| DevError::Listen { address: wanted, source };
    let listener = TcpListener::bind(wanted).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    Ok((listener, address))
}

/// Has the issuer answer until the server stops. The lock of its folder is held as long as what is given back.
fn answer(bound: BoundIssuer, shutdown: &Shutdown) -> (Arc<LocalIssuer>, issuer::FolderLock) {
    if let Some(former) = &bound.moved_from {
        note(format_args!(
            "the port of {former} is taken: the issuer moved, and its earlier tokens are refused"
        ));
    }
    let (issuer, listener, lock) = bound.into_parts();
    let (issuer, mut shutdown) = (Arc::new(issuer), shutdown.clone());
    let stop = async move { shutdown.requested().await };
    tokio::spawn(issuer::serve(Arc::clone(&issuer), Arc::new(SystemClock), listener, stop));
    (issuer, lock)
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
         Ctrl-C ends both.\n",
        shell_word(&data_dir.display().to_string()),
        issuer.issuer(),
        issuer.publishable_key(),
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
