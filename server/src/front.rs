//! What every request passes before a route sees it, and every answer on its way back.

use std::any::Any;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use doorward_verifier::Code;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
use tower_http::BoxError;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::CorsLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::sensitive_headers::SetSensitiveRequestHeadersLayer;
use tower_http::trace::TraceLayer;
use tracing::field::Empty;
use tracing::{Span, debug, error, info_span};
use warp::Reply;
use warp::filters::BoxedFilter;
use warp::reply::with_header;

use crate::app::App;
use crate::body::BoundedBody;
use crate::clock::Stopwatch;
use crate::error::ApiError;
use crate::metrics;
use crate::proxy::{OverTls, Peer, TrustedProxies};
use crate::routes::{self, template};
use crate::trace_context::{self, TraceContext};

/// All headers of a request together: twice what a browser's cookies and a token come to.
const MAX_HEADER_BYTES: usize = 40 * 1024;
/// A browser behind two proxies sends about forty.
const MAX_HEADERS: usize = 128;
/// A profile is a few hundred bytes.
const MAX_BODY_BYTES: usize = 64 * 1024;
/// A user's webhook event has their metadata in it, which Clerk lets grow to a few dozen kB.
const MAX_WEBHOOK_BYTES: usize = 256 * 1024;

/// Longer than a body, the store and the issuer are waited for, so that their own errors come first.
const REQUEST_TIME: Duration = Duration::from_secs(15);
/// Browsers keep a preflight's answer for an hour, or as long as they do at most.
const PREFLIGHT_TIME: Duration = Duration::from_secs(3600);

/// The body of an answer.
pub(crate) type AnswerBody = UnsyncBoxBody<Bytes, BoxError>;
/// The whole server, for one request after the other.
pub(crate) type Front = BoxCloneSyncService<Request<Incoming>, Response<AnswerBody>, Infallible>;

/// These routes, behind everything that is true of all of them.
pub(crate) fn front(app: &Arc<App>, routes: BoxedFilter<(warp::reply::Response,)>) -> Front {
    let routes = warp::service(routes);
    let gate = Gate { production: app.config.production, proxies: app.proxies.clone() };
    let gate = service_fn(move |request| {
        let (gate, routes) = (gate.clone(), routes.clone());
        async move { Ok::<_, Infallible>(gate.answer(request, routes).await) }
    });
    let guarded = ServiceBuilder::new()
        .map_response(|response: Response<_>| response.map(erase))
        .map_request(without_odd_request_id)
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
        .layer(SetSensitiveRequestHeadersLayer::new(SENSITIVE_HEADERS))
        .layer(
            TraceLayer::new_for_http()
                .make_span_with(span)
                .on_request(())
                .on_response(answered)
                .on_failure(()),
        )
        .map_response(finish)
        .map_response(|response: Response<_>| response.map(erase))
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(cors(&app.config.http.cors_origins))
        .layer(CatchPanicLayer::custom(panicked))
        .service(gate);
    let app = Arc::clone(app);
    BoxCloneSyncService::new(service_fn(move |request| measured(Arc::clone(&app), guarded.clone(), request)))
}

/// Counts and times what goes through.
async fn measured<S>(
    app: Arc<App>,
    inner: S,
    request: Request<Incoming>,
) -> Result<Response<AnswerBody>, Infallible>
where
    S: Service<Request<Incoming>, Response = Response<AnswerBody>, Error = Infallible>,
{
    let (route, method, began) =
        (template(request.uri().path()), request.method().clone(), Stopwatch::start());
    let context = TraceContext::of(request.headers());
    let response = trace_context::within(context, inner.oneshot(request)).await?;
    let problem = response.extensions().get::<ApiError>().map(ApiError::code);
    app.metrics.answered(route, &method, response.status(), problem, began.elapsed());
    Ok(response)
}

fn erase<B>(body: B) -> AnswerBody
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    body.map_err(Into::into).boxed_unsync()
}

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const SENSITIVE_HEADERS: [HeaderName; 5] = [
    header::AUTHORIZATION,
    header::PROXY_AUTHORIZATION,
    header::COOKIE,
    HeaderName::from_static("svix-signature"),
    HeaderName::from_static("webhook-signature"),
];

/// A request may bring its id, when that is short and of plain characters: it is written to the log.
fn without_odd_request_id<B>(mut request: Request<B>) -> Request<B> {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    let fits = |id: &HeaderValue| (1..=64).contains(&id.len()) && id.as_bytes().iter().all(is_plain);
    if !request.headers().get(X_REQUEST_ID).is_some_and(fits) {
        request.headers_mut().remove(X_REQUEST_ID);
    }
    request
}

/// The request in the log: never its query or its headers, which can carry tokens, and no path that is not known.
fn span<B>(request: &Request<B>) -> Span {
    let id = request.headers().get(X_REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
    let span = info_span!("request", method = %request.method(), path = template(request.uri().path()), id, trace = Empty);
    if let Some(context) = TraceContext::of(request.headers()) {
        span.record("trace", context.trace_id());
    }
    span
}

fn answered<B>(response: &Response<B>, took: Duration, _span: &Span) {
    debug!(status = response.status().as_u16(), ms = took.as_millis() as u64, "answered");
}

fn panicked(_: Box<dyn Any + Send>) -> warp::reply::Response {
    error!("a request ended in a panic");
    ApiError::new(Code::InternalError).into_response()
}

/// Puts into every answer what holds for all of them, and the request's id into a problem.
fn finish(mut response: Response<AnswerBody>) -> Response<AnswerBody> {
    let headers = response.headers_mut();
    for (name, value) in SECURITY_HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    let id = response.headers().get(X_REQUEST_ID).cloned();
    if let (Some(error), Some(id)) = (response.extensions().get::<ApiError>(), id) {
        let body = serde_json::to_vec(&error.problem(id.to_str().ok())).unwrap_or_default();
        response.headers_mut().remove(header::CONTENT_LENGTH);
        *response.body_mut() = erase(Full::from(body));
    }
    response
}

/// Answers are for one reader, are no page, and are of the type that they say.
const SECURITY_HEADERS: [(HeaderName, &str); 5] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-site"),
];

/// The frontend's origins may read every answer, refusals and failures too.
fn cors(origins: &[String]) -> CorsLayer {
    let origins: Vec<HeaderValue> = origins.iter().filter_map(|origin| origin.parse().ok()).collect();
    CorsLayer::new()
        .allow_origin(origins)
        .allow_credentials(true)
        .allow_methods([
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
            Method::HEAD,
            Method::OPTIONS,
        ])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE, X_REQUEST_ID])
        .expose_headers([header::WWW_AUTHENTICATE, header::RETRY_AFTER, X_REQUEST_ID])
        .max_age(PREFLIGHT_TIME)
}

/// What is asked of a request before it gets to a route.
#[derive(Clone)]
struct Gate {
    production: bool,
    proxies: TrustedProxies,
}

impl Gate {
    async fn answer<R>(&self, request: Request<Incoming>, routes: R) -> warp::reply::Response
    where
        R: Service<Request<BoundedBody<Incoming>>, Response = warp::reply::Response, Error = Infallible>,
    {
        let peer = request.extensions().get::<Peer>().copied();
        let over_tls = request.extensions().get::<OverTls>().is_some();
        let is_chunked = request.headers().contains_key(header::TRANSFER_ENCODING);
        let is_https = over_tls || peer.is_some_and(|peer| self.proxies.is_https(peer, request.headers()));
        let mut response = match self.admit(&request, is_https) {
            Ok(limit) => pass_on(request, limit, routes).await,
            Err(refusal) => refusal.into_response(),
        };
        if is_chunked {
            // RFC 9112 section 6.3: where there was a Content-Length as well, what comes next may be anybody's.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if is_https {
            // RFC 6797 section 7.2: never over http.
            let year = HeaderValue::from_static("max-age=31536000; includeSubDomains");
            response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, year);
        }
        response
    }

    /// How long the body may be, if the request may pass.
    fn admit(&self, request: &Request<Incoming>, is_https: bool) -> Result<usize, ApiError> {
        let (path, headers) = (request.uri().path(), request.headers());
        // CONNECT names a host alone (RFC 9112 section 3.2.3), for which warp has no path.
        if !path.starts_with('/') {
            return Err(ApiError::new(Code::NotFound));
        }
        if headers.len() > MAX_HEADERS || header_bytes(headers) > MAX_HEADER_BYTES {
            return Err(ApiError::new(Code::HeadersTooLarge));
        }
        let endpoint = template(path);
        if self.production && !is_https && !routes::on_plain_http(endpoint) {
            return Err(ApiError::new(Code::HttpsRequired));
        }
        let limit = if endpoint == routes::WEBHOOK { MAX_WEBHOOK_BYTES } else { MAX_BODY_BYTES };
        if request.body().size_hint().lower() > limit as u64 {
            return Err(ApiError::new(Code::BodyTooLarge));
        }
        Ok(limit)
    }
}

/// As they were sent: `name: value` and the end of the line.
fn header_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}

/// HEAD is GET without the body, which the connection leaves out (RFC 9110 section 9.3.2).
async fn pass_on<R>(mut request: Request<Incoming>, limit: usize, routes: R) -> warp::reply::Response
where
    R: Service<Request<BoundedBody<Incoming>>, Response = warp::reply::Response, Error = Infallible>,
{
    if request.method() == Method::HEAD {
        *request.method_mut() = Method::GET;
    }
    let (parts, body) = request.into_parts();
    let (body, verdict) = BoundedBody::new(body, limit);
    let answer = routes.oneshot(Request::from_parts(parts, body));
    let outcome = tokio::time::timeout(REQUEST_TIME, answer).await;
    match (verdict.code(), outcome) {
        (Some(code), _) => ApiError::new(code).into_response(),
        (None, Ok(Ok(response))) => response,
        (None, Ok(Err(never))) => match never {},
        (None, Err(_)) => {
            error!("a request took longer than {} s", REQUEST_TIME.as_secs());
            ApiError::new(Code::Overloaded).into_response()
        }
    }
}

/// `GET /metrics`, for a listener of its own: what it tells is for operators.
pub(crate) fn metrics_front(app: &Arc<App>) -> Front {
    let app = Arc::clone(app);
    let answer = move |request: Request<Incoming>| {
        let asked = request.method() == Method::GET && request.uri().path() == "/metrics";
        let response = if asked {
            with_header(metrics::render(&app), header::CONTENT_TYPE, metrics::CONTENT_TYPE).into_response()
        } else {
            ApiError::new(Code::NotFound).into_response()
        };
        std::future::ready(Ok(response.map(erase)))
    };
    BoxCloneSyncService::new(service_fn(answer))
}
