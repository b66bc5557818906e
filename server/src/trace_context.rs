//! `TraceContext`: which trace a request belongs to (W3C Trace Context), taken up and passed on.

use std::future::Future;

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::task::JoinHandle;
use tracing::Instrument;
use uuid::Uuid;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// What a receiver must be able to pass on (W3C Trace Context, section 3.3.1.5).
const MAX_STATE_BYTES: usize = 512;

tokio::task_local! {
    static CURRENT: TraceContext;
}

/// Which trace a request belongs to, and what its systems say of it among themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TraceContext {
    trace_id: String,
    flags: String,
    state: Option<HeaderValue>,
}

impl TraceContext {
    /// What a request says; none where it says nothing, or nothing that can be read. Then its state means nothing.
    pub(crate) fn of(headers: &HeaderMap) -> Option<TraceContext> {
        let mut parents = headers.get_all(TRACEPARENT).into_iter();
        let (Some(parent), None) = (parents.next(), parents.next()) else { return None };
        let (trace_id, flags) = read(parent.to_str().ok()?)?;
        Some(TraceContext { trace_id: trace_id.to_owned(), flags: flags.to_owned(), state: state(headers) })
    }

    /// The trace's name, for the log.
    pub(crate) fn trace_id(&self) -> &str {
        &self.trace_id
    }

    /// The headers of a request that is made for this one: the same trace, another parent.
    fn headers(&self) -> HeaderMap {
        let parent_id = Uuid::new_v4().simple().to_string();
        let parent = format!("00-{}-{}-{}", self.trace_id, &parent_id[..16], self.flags);
        let mut headers = HeaderMap::new();
        headers.extend(HeaderValue::try_from(parent).ok().map(|parent| (TRACEPARENT, parent)));
        headers.extend(self.state.clone().map(|state| (TRACESTATE, state)));
        headers
    }
}

/// Trace id and flags of version 00, or the part of a later version that is as in this one.
fn read(parent: &str) -> Option<(&str, &str)> {
    let mut parts = parent.split('-');
    let (version, trace_id, parent_id, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_known = version != "ff" && (version != "00" || parts.next().is_none());
    let fits = is_hex(version, 2) && is_hex(trace_id, 32) && is_hex(parent_id, 16) && is_hex(flags, 2);
    let is_somewhere = [trace_id, parent_id].iter().all(|id| id.bytes().any(|digit| digit != b'0'));
    (is_known && fits && is_somewhere).then_some((trace_id, flags))
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// All lines as one. What is too long is left out, whole.
fn state(headers: &HeaderMap) -> Option<HeaderValue> {
    let lines: Vec<&[u8]> = headers.get_all(TRACESTATE).into_iter().map(HeaderValue::as_bytes).collect();
    let state = lines.join(&b","[..]);
    let fits = (1..=MAX_STATE_BYTES).contains(&state.len());
    if fits { HeaderValue::from_bytes(&state).ok() } else { None }
}

/// Does `work` for a request of this context.
pub(crate) async fn within<F: Future>(context: Option<TraceContext>, work: F) -> F::Output {
    match context {
        Some(context) => CURRENT.scope(context, work).await,
        None => work.await,
    }
}

/// A task for the request that this is done for: what it logs and whom it asks belongs to that.
pub(crate) fn spawn<F>(work: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    tokio::spawn(within(current(), work).in_current_span())
}

fn current() -> Option<TraceContext> {
    CURRENT.try_with(TraceContext::clone).ok()
}

/// What to send along with a request that is made for another.
pub(crate) fn to_pass_on() -> HeaderMap {
    current().map(|context| context.headers()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn of(lines: &[(&'static str, &str)]) -> Option<TraceContext> {
        let pairs = lines.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        let mut headers = HeaderMap::new();
        pairs.for_each(|(name, value)| _ = headers.append(name, value));
        TraceContext::of(&headers)
    }

    #[test]
    fn a_trace_goes_on_under_its_name_with_another_parent() {
        let context = of(&[("traceparent", PARENT), ("tracestate", "a=1"), ("tracestate", "b=2")]).unwrap();
        let passed_on = context.headers();
        let parent = passed_on[TRACEPARENT].to_str().unwrap();
        assert!(
            parent.starts_with("00-0af7651916cd43dd8448eb211c80319c-") && parent.ends_with("-01"),
            "{parent}"
        );
        assert!(read(parent).is_some() && parent != PARENT);
        assert_eq!(passed_on[TRACESTATE], "a=1,b=2");
    }

    #[test]
    fn what_cannot_be_read_is_no_trace() {
        for parent in [
            "",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        ] {
            assert_eq!(of(&[("traceparent", parent)]), None, "{parent}");
        }
        assert_eq!(of(&[("traceparent", PARENT), ("traceparent", PARENT)]), None);
        assert!(of(&[("traceparent", &PARENT.replacen("00", "01", 1))]).is_some(), "a later version");
        let long = of(&[("traceparent", PARENT), ("tracestate", &"a".repeat(513))]).unwrap();
        assert_eq!(long.state, None);
    }

    #[tokio::test]
    async fn work_is_done_in_the_context_that_it_is_for() {
        assert!(to_pass_on().is_empty());
        let context = of(&[("traceparent", PARENT)]);
        within(context.clone(), async { assert_eq!(current(), context) }).await;
        within(None, async { assert_eq!(current(), None) }).await;
    }
}
