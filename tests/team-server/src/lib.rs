//! A team's own server: its routes beside doorward's, each protected in one line.

use std::sync::Arc;

use doorward::app::App;
use doorward::auth::{optional_principal, principal, principal_with, signed_in};
use doorward::error::ApiError;
use doorward::routes::endpoints;
use doorward::users::SignedIn;
use doorward_verifier::{Principal, Requirement, Reverification};
use warp::filters::BoxedFilter;
use warp::reply::{Reply, Response};
use warp::{Filter, path};

/// Who may give money back: an administrator who has lately shown who they are.
const REFUND: Requirement<'static> = Requirement {
    role: Some("admin"),
    permission: None,
    feature: None,
    plan: None,
    reverification: Some(Reverification::STRICT),
};

/// Everything that the server answers.
pub fn routes(app: &Arc<App>) -> BoxedFilter<(Response,)> {
    let greeting = path!("api" / "greeting").and(warp::get()).and(optional_principal(app)).then(greet);
    let orders = path!("api" / "orders").and(warp::get()).and(principal(app)).then(list_orders);
    let refund = path!("api" / "orders" / u32 / "refund")
        .and(warp::post())
        .and(principal_with(app, REFUND))
        .then(refund);
    let card = path!("api" / "card").and(warp::get()).and(signed_in(app)).then(card);
    let own = greeting.or(orders).or(refund).or(card).map(Reply::into_response);
    own.or(endpoints(app)).unify().boxed()
}

async fn greet(principal: Result<Option<Principal>, ApiError>) -> Result<String, ApiError> {
    let name = principal?.map_or("stranger".to_owned(), |principal| principal.user_id().to_owned());
    Ok(format!("Welcome, {name}"))
}

async fn list_orders(principal: Result<Principal, ApiError>) -> Result<String, ApiError> {
    Ok(format!("the orders of {}", principal?.user_id()))
}

async fn refund(order: u32, principal: Result<Principal, ApiError>) -> Result<String, ApiError> {
    Ok(format!("order {order} is refunded by {}", principal?.user_id()))
}

async fn card(session: Result<(Principal, SignedIn), ApiError>) -> Result<String, ApiError> {
    let (principal, signed_in) = session?;
    let name = signed_in.user().name();
    Ok(format!("{} ({})", name.as_deref().unwrap_or("nameless"), principal.user_id()))
}
