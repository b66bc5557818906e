//! `doorward serve`: the server.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::net::TcpListener;
use tracing::{error, info, warn};
use warp::filters::BoxedFilter;
use warp::reply::Response;

use crate::app::{App, AppError};
use crate::clock::SystemClock;
use crate::config::{Config, Mistakes, Settings};
use crate::shutdown::Shutdown;
use crate::store::{OnLoss, StoreError};
use crate::{routes, show, telemetry};

/// Serve (also what happens without a command)
#[derive(clap::Args, Debug, Default)]
pub struct Args {
    /// Go on with what is there when the embedded store holds less than it acknowledged
    #[arg(long)]
    accept_data_loss: bool,
}

/// Why the server stopped, other than by being told to.
#[derive(Debug, thiserror::Error)]
enum ServeError {
    #[error(transparent)]
    App(#[from] AppError),
    #[error("{address} can't be listened on: {source}")]
    Bind { address: String, source: std::io::Error },
    #[error("signals and sockets can't be had: {0}")]
    System(#[from] std::io::Error),
    #[error("not everything could be written down at the end: {0}")]
    Close(#[from] StoreError),
}

/// Runs the command.
pub async fn run(args: Args) -> ExitCode {
    run_with(args, routes::endpoints).await
}

/// Runs the command with these routes: a team's own, and [`routes::endpoints`] beside them.
pub async fn run_with(args: Args, routes: impl FnOnce(&Arc<App>) -> BoxedFilter<(Response,)>) -> ExitCode {
    let config = match read() {
        Ok(config) => config,
        Err(mistakes) => return show::refuse(&mistakes),
    };
    let _logging = telemetry::init(&config.log);
    let on_loss = if args.accept_data_loss { OnLoss::Accept } else { OnLoss::Refuse };
    match serve(config, on_loss, routes).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn read() -> Result<Config, Mistakes> {
    Config::read(&Settings::load(Path::new("."))?)
}

async fn serve(
    config: Config,
    on_loss: OnLoss,
    routes: impl FnOnce(&Arc<App>) -> BoxedFilter<(Response,)>,
) -> Result<(), ServeError> {
    let shutdown = Shutdown::on_signal()?;
    let listener = bind(&config.http.host, config.http.port).await?;
    let metrics = match config.http.metrics_listen {
        Some(address) => Some(bind(&address.ip().to_string(), address.port()).await?),
        None => None,
    };
    config.warnings().iter().for_each(|warning| warn!("{warning}"));
    let mut stopped = shutdown.clone();
    let app = tokio::select! {
        app = App::open(config, on_loss, Arc::new(SystemClock)) => app?,
        () = stopped.requested() => return Ok(()),
    };
    let scheme = if app.tls.is_some() { "https" } else { "http" };
    info!("listening on {scheme}://{}", listener.local_addr()?);
    if let Some(metrics) = metrics {
        info!("metrics on http://{}/metrics", metrics.local_addr()?);
        tokio::spawn(crate::serve_metrics(Arc::clone(&app), metrics, shutdown.clone()));
    }
    let routes = routes(&app);
    crate::serve_routes(Arc::clone(&app), routes, listener, shutdown).await;
    app.close().await?;
    info!("stopped");
    Ok(())
}

async fn bind(host: &str, port: u16) -> Result<TcpListener, ServeError> {
    let failed = |source| ServeError::Bind { address: format!("{host}:{port}"), source };
    TcpListener::bind((host, port)).await.map_err(failed)
}
