//! A whole server on a port of its own, with a clock that stands.

use std::sync::Arc;

use doorward::app::App;
use doorward::clock::FixedClock;
use doorward::config::{Config, Mistakes, Settings};
use doorward::shutdown::{Shutdown, ShutdownHandle};
use doorward::store::OnLoss;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use warp::filters::BoxedFilter;

use crate::NOON;
use crate::clerk::SECRET_KEY;
use crate::issuer::TestIssuer;

/// A server, stopped when it is dropped.
pub struct TestServer {
    /// Its parts.
    pub app: Arc<App>,
    /// Its time, [`NOON`] at first.
    pub clock: Arc<FixedClock>,
    /// Where it answers, without a slash at the end.
    pub url: String,
    client: Client,
    shutdown: Option<ShutdownHandle>,
    serving: JoinHandle<()>,
    _folder: Option<TempDir>,
}

impl TestServer {
    /// One for this issuer, with these settings beside the usual.
    pub async fn start(issuer: &TestIssuer, settings: &[(&str, &str)]) -> TestServer {
        TestServer::start_with(issuer, settings, doorward::routes::endpoints).await
    }

    /// One with these routes.
    pub async fn start_with(
        issuer: &TestIssuer,
        settings: &[(&str, &str)],
        routes: impl Routes,
    ) -> TestServer {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = folder.path().display().to_string();
        let mut all = vec![("DATA_DIR", data_dir.as_str())];
        all.extend(settings);
        let mut server = TestServer::open(config(issuer, &all).unwrap(), routes).await;
        server._folder = Some(folder);
        server
    }

    /// One whose `DATA_DIR` is among the settings.
    pub async fn start_in(issuer: &TestIssuer, settings: &[(&str, &str)]) -> TestServer {
        TestServer::open(config(issuer, settings).unwrap(), doorward::routes::endpoints).await
    }

    /// One of this configuration.
    pub async fn open(config: Config, routes: impl Routes) -> TestServer {
        let clock = Arc::new(FixedClock::at(NOON));
        let app = App::open(config, OnLoss::Refuse, clock.clone()).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (handle, shutdown) = Shutdown::new();
        let routes = routes(&app);
        let serving = tokio::spawn(doorward::serve_routes(Arc::clone(&app), routes, listener, shutdown));
        let client = Client::builder().no_proxy().build().unwrap();
        TestServer { app, clock, url, client, shutdown: Some(handle), serving, _folder: None }
    }

    /// A request to it.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    /// A GET of this path, with a token where one is given.
    pub async fn get(&self, path: &str, token: Option<&str>) -> Answer {
        let request = self.request(Method::GET, path);
        let request = if let Some(token) = token { request.bearer_auth(token) } else { request };
        Answer::of(request.send().await.unwrap()).await
    }

    /// A request with a token and JSON.
    pub async fn send(&self, method: Method, path: &str, token: &str, body: Value) -> Answer {
        let request = self.request(method, path).bearer_auth(token).json(&body);
        Answer::of(request.send().await.unwrap()).await
    }

    /// Stops it, and waits until it has let go of its folder.
    pub async fn stop(mut self) {
        self.shutdown.take().unwrap().stop();
        (&mut self.serving).await.unwrap();
        self.app.close().await.unwrap();
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// What makes the routes of an app.
pub trait Routes: FnOnce(&Arc<App>) -> BoxedFilter<(warp::reply::Response,)> {}

impl<F: FnOnce(&Arc<App>) -> BoxedFilter<(warp::reply::Response,)>> Routes for F {}

/// The configuration of a server for this issuer, with these settings in place of the usual.
pub fn config(issuer: &TestIssuer, settings: &[(&str, &str)]) -> Result<Config, Mistakes> {
    let (key, url) = (issuer.publishable_key(), issuer.url());
    let usual =
        [("CLERK_PUBLISHABLE_KEY", key.as_str()), ("CLERK_API_URL", &url), ("CLERK_SECRET_KEY", SECRET_KEY)];
    let pairs = usual.iter().chain(settings).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::read(&Settings::new(pairs, []))
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: reqwest::header::HeaderMap,
    /// Its body as text.
    pub text: String,
}

impl Answer {
    /// Reads it.
    pub async fn of(response: Response) -> Answer {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer { status, headers, text: response.text().await.unwrap() }
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The code of a problem.
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// A header's value; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}
