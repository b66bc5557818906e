//! `Metrics`: what is counted and measured, as Prometheus reads it.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use doorward_verifier::Code;
use http::{Method, StatusCode};

use crate::app::App;
use crate::cache::CacheStatus;
use crate::store::StoreStatus;

/// The type of Prometheus's text format.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Upper bounds in seconds. A verified request takes less than the first on most machines.
const BUCKETS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0];

/// Requests by method, route and status, and refusals and failures by code. Paths and methods that are anybody's text
/// are all one, so that nobody makes more series.
#[derive(Debug, Default)]
pub struct Metrics(Mutex<Counted>);

#[derive(Debug, Default)]
struct Counted {
    requests: BTreeMap<Labels, Histogram>,
    problems: BTreeMap<&'static str, u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Labels {
    route: &'static str,
    method: &'static str,
    status: u16,
}

#[derive(Clone, Copy, Debug, Default)]
struct Histogram {
    buckets: [u64; BUCKETS.len()],
    count: u64,
    sum: Duration,
}

impl Metrics {
    /// Counts an answer.
    pub(crate) fn answered(
        &self,
        route: &'static str,
        method: &Method,
        status: StatusCode,
        problem: Option<Code>,
        took: Duration,
    ) {
        let labels = Labels { route, method: known(method), status: status.as_u16() };
        let mut counted = self.counted();
        counted.requests.entry(labels).or_default().observe(took);
        if let Some(code) = problem {
            *counted.problems.entry(code.as_str()).or_default() += 1;
        }
    }

    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn known(method: &Method) -> &'static str {
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    known.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}

impl Histogram {
    fn observe(&mut self, took: Duration) {
        let bounds = BUCKETS.iter().zip(&mut self.buckets);
        bounds.filter(|(bound, _)| took.as_secs_f64() <= **bound).for_each(|(_, bucket)| *bucket += 1);
        self.count += 1;
        self.sum += took;
    }
}

/// Everything that there is to tell of a server.
pub(crate) fn render(app: &App) -> String {
    let mut text = String::new();
    // Writing to a String can't fail.
    let _ = write_requests(&mut text, &app.metrics.counted());
    let _ = write_state(&mut text, app);
    text
}

fn write_requests(text: &mut String, counted: &Counted) -> fmt::Result {
    const SECONDS: &str = "doorward_request_duration_seconds";
    head(text, SECONDS, "histogram", "How long requests took, by route, method and status.")?;
    for (Labels { route, method, status }, histogram) in &counted.requests {
        let labels = format!(r#"route="{route}",method="{method}",status="{status}""#);
        for (bound, count) in BUCKETS.iter().zip(histogram.buckets) {
            writeln!(text, r#"{SECONDS}_bucket{{{labels},le="{bound}"}} {count}"#)?;
        }
        writeln!(text, r#"{SECONDS}_bucket{{{labels},le="+Inf"}} {}"#, histogram.count)?;
        writeln!(text, "{SECONDS}_sum{{{labels}}} {}", histogram.sum.as_secs_f64())?;
        writeln!(text, "{SECONDS}_count{{{labels}}} {}", histogram.count)?;
    }
    const PROBLEMS: &str = "doorward_problems_total";
    head(text, PROBLEMS, "counter", "Refusals and failures, by code.")?;
    counted
        .problems
        .iter()
        .try_for_each(|(code, count)| writeln!(text, r#"{PROBLEMS}{{code="{code}"}} {count}"#))
}

fn write_state(text: &mut String, app: &App) -> fmt::Result {
    let keys = app.keys.status(app.clock.now());
    let age = keys.age.map(|age| age.as_secs_f64());
    gauge(text, "doorward_keys_usable", "Whether tokens can be verified.", Some(truth(keys.usable)))?;
    gauge(text, "doorward_keys_age_seconds", "How long ago the issuer was asked for the keys.", age)?;
    gauge(
        text,
        "doorward_keys_stale",
        "Whether the keys are due to be asked for again.",
        Some(truth(keys.stale)),
    )?;
    let withdrawn = app.keys.withdrawn().len() as f64;
    gauge(text, "doorward_keys_withdrawn", "Keys that were taken out of use.", Some(withdrawn))?;
    const FETCHES: &str = "doorward_keys_fetches_total";
    head(text, FETCHES, "counter", "How often the issuer was asked for its keys, by outcome.")?;
    let (answered, failed) = app.keys.fetches();
    writeln!(text, "{FETCHES}{{outcome=\"answered\"}} {answered}\n{FETCHES}{{outcome=\"failed\"}} {failed}")?;
    const EVICTIONS: &str = "doorward_cache_evictions_total";
    head(text, EVICTIONS, "counter", "Users in the cache on disk who made room for others.")?;
    writeln!(text, "{EVICTIONS} {}", app.cache.evictions())?;
    gauge(
        text,
        "doorward_keys_failures",
        "Failures to fetch keys since the last success.",
        Some(keys.failures.into()),
    )?;
    let store = truth(app.users.store_status() == StoreStatus::Ready);
    gauge(text, "doorward_store_up", "Whether the store answers.", Some(store))?;
    let tells = truth(app.store.tells());
    gauge(text, "doorward_change_streams", "Whether MongoDB tells of changes by itself.", Some(tells))?;
    let cache = truth(app.cache.status() == CacheStatus::Ready);
    gauge(text, "doorward_cache_up", "Whether the cache on disk takes anything.", Some(cache))?;
    let denials = app.users.denials() as f64;
    gauge(text, "doorward_denials", "Sessions and users turned away before their tokens end.", Some(denials))
}

fn truth(holds: bool) -> f64 {
    if holds { 1.0 } else { 0.0 }
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) -> fmt::Result {
    writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}")
}

fn gauge(text: &mut String, name: &str, help: &str, value: Option<f64>) -> fmt::Result {
    let Some(value) = value else { return Ok(()) };
    head(text, name, "gauge", help)?;
    writeln!(text, "{name} {value}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_counts_what_is_at_most_each_bound() {
        let metrics = Metrics::default();
        for millis in [1, 3, 20_000] {
            metrics.answered("/x", &Method::GET, StatusCode::OK, None, Duration::from_millis(millis));
        }
        let odd = Method::from_bytes(b"BREW").unwrap();
        metrics.answered("/x", &odd, StatusCode::NOT_FOUND, Some(Code::NotFound), Duration::ZERO);
        let mut text = String::new();
        write_requests(&mut text, &metrics.counted()).unwrap();
        for line in [
            r#"_bucket{route="/x",method="GET",status="200",le="0.0005"} 0"#,
            r#"_bucket{route="/x",method="GET",status="200",le="0.001"} 1"#,
            r#"_bucket{route="/x",method="GET",status="200",le="0.005"} 2"#,
            r#"_bucket{route="/x",method="GET",status="200",le="10"} 2"#,
            r#"_bucket{route="/x",method="GET",status="200",le="+Inf"} 3"#,
            r#"_sum{route="/x",method="GET",status="200"} 20.004"#,
            r#"_count{route="/x",method="other",status="404"} 1"#,
            r#"doorward_problems_total{code="not-found"} 1"#,
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
    }
}
