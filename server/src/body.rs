//! Request bodies: bounded in size and in time, and read as JSON.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use doorward_verifier::Code;
use futures_util::{Stream, TryStreamExt};
use http::{HeaderMap, header};
use hyper::body::{Body, Frame, SizeHint};
use serde::de::DeserializeOwned;
use tokio::time::Sleep;

use crate::error::ApiError;

/// For the whole of a body.
const BODY_TIME: Duration = Duration::from_secs(10);
/// What an error says of a body that the client wrote itself.
const MAX_DETAIL_CHARS: usize = 200;

/// A body that ends with an error once it is too long or takes too long, and says so to whoever holds its verdict.
pub(crate) struct BoundedBody<B> {
    inner: B,
    left: usize,
    deadline: Pin<Box<Sleep>>,
    verdict: Verdict,
}

/// What was wrong with a body, if something was. Routes of any kind see no more than an error in it.
#[derive(Clone, Default)]
pub(crate) struct Verdict(Arc<OnceLock<Code>>);

impl Verdict {
    pub(crate) fn code(&self) -> Option<Code> {
        self.0.get().copied()
    }
}

/// The error in a body that was cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request's body was cut off: {0}")]
struct CutOff(Code);

impl<B> BoundedBody<B> {
    /// `inner`, of at most `limit` bytes.
    pub(crate) fn new(inner: B, limit: usize) -> (BoundedBody<B>, Verdict) {
        let verdict = Verdict::default();
        let deadline = Box::pin(tokio::time::sleep(BODY_TIME));
        (BoundedBody { inner, left: limit, deadline, verdict: verdict.clone() }, verdict)
    }

    fn cut_off(&self, code: Code) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let _ = self.verdict.0.set(code);
        Poll::Ready(Some(Err(CutOff(code).into())))
    }
}

type Cut = Box<dyn std::error::Error + Send + Sync>;

impl<B> Body for BoundedBody<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Cut>,
{
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if self.deadline.as_mut().poll(cx).is_ready() {
            return self.cut_off(Code::RequestTimeout);
        }
        let Some(frame) = ready!(Pin::new(&mut self.inner).poll_frame(cx)) else { return Poll::Ready(None) };
        let frame = frame.map_err(Into::into)?;
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        match self.left.checked_sub(bytes) {
            Some(left) => self.left = left,
            None => return self.cut_off(Code::BodyTooLarge),
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A request's JSON, from a body as warp hands it on.
pub(crate) async fn read_json<T, C>(
    headers: &HeaderMap,
    body: impl Stream<Item = Result<C, warp::Error>>,
) -> Result<T, ApiError>
where
    T: DeserializeOwned,
    C: Buf,
{
    if !is_json(headers) {
        return Err(ApiError::new(Code::UnsupportedMediaType));
    }
    let bytes = read_all(body).await?;
    // Its members are named: a list would be taken in their order.
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err(ApiError::because(Code::MalformedBody, "the body is not a JSON object"));
    }
    serde_json::from_slice(&bytes).map_err(|error| {
        let what: String = error.to_string().chars().take(MAX_DETAIL_CHARS).collect();
        ApiError::because(Code::MalformedBody, what)
    })
}

/// A request's bytes, from a body as warp hands it on.
pub(crate) async fn read_all<C: Buf>(
    body: impl Stream<Item = Result<C, warp::Error>>,
) -> Result<Vec<u8>, ApiError> {
    let gather = async |mut gathered: Vec<u8>, chunk: C| {
        gathered.put(chunk);
        Ok(gathered)
    };
    // What cut it off is in the body's verdict, which the gate has.
    let ended_early = |_| ApiError::because(Code::MalformedBody, "the body ended early");
    body.try_fold(Vec::new(), gather).await.map_err(ended_early)
}

/// `application/json`, with or without parameters. Asked for, so that no page can send it without a preflight.
fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{BodyExt, Full, StreamBody};

    #[tokio::test]
    async fn a_body_over_its_limit_is_cut_off() {
        let (body, verdict) = BoundedBody::new(Full::new(Bytes::from_static(b"12345")), 4);
        assert!(body.collect().await.is_err());
        assert_eq!(verdict.code(), Some(Code::BodyTooLarge));
        let (body, verdict) = BoundedBody::new(Full::new(Bytes::from_static(b"1234")), 4);
        assert_eq!(body.collect().await.unwrap().to_bytes(), "1234");
        assert_eq!(verdict.code(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_end_is_timed_out() {
        let endless = futures_util::stream::pending::<Result<Frame<Bytes>, std::convert::Infallible>>();
        let (body, verdict) = BoundedBody::new(StreamBody::new(endless), 4);
        assert!(body.collect().await.is_err());
        assert_eq!(verdict.code(), Some(Code::RequestTimeout));
    }
}
