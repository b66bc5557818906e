//! Whether MongoDB can be had from here, and holds the user that was let in.

use std::sync::Arc;

use super::report::{Check, Topic};
use crate::clock::SystemClock;
use crate::config::{Config, StoreKind};
use crate::store::{self, MongoSettings, Store, StoreSettings};
use crate::user::UserId;

/// Asks for one record: that of the user, or one that nobody has.
pub(super) async fn examine(config: &Config, user: Option<&UserId>) -> Vec<Check> {
    let StoreKind::Mongodb(uri) = &config.storage.store else {
        let why = "MONGODB_URI is not set: users are in the embedded store";
        return vec![Check::not_checked(Topic::Database, why)];
    };
    let settings =
        MongoSettings { uri: uri.clone(), database: config.storage.database.clone(), change_streams: false };
    match store::open(StoreSettings::Mongo(settings), Arc::new(SystemClock)).await {
        Ok(store) => {
            let checks = look_up(store.as_ref(), &config.storage.database, user).await;
            // What it was asked is answered: nothing is lost when it does not close.
            let _ = store.close().await;
            checks
        }
        Err(error) => vec![Check::failed(Topic::Database, error, "correct MONGODB_URI")],
    }
}

async fn look_up(store: &dyn Store, database: &str, user: Option<&UserId>) -> Vec<Check> {
    let nobody = UserId::parse("user_doorward-doctor").ok();
    let Some(asked) = user.or(nobody.as_ref()) else { return Vec::new() };
    let found = match store.load(asked).await {
        Ok(found) => found,
        Err(error) => {
            let hint = "is it running, and reachable from where the server runs?";
            return vec![Check::failed(Topic::Database, error, hint)];
        }
    };
    let answers = Check::passed(Topic::Database, format_args!("{database}.users answers"));
    let record = match (user, found) {
        (None, _) => Check::not_checked(Topic::Record, "no token was accepted"),
        (Some(user), Some(_)) => Check::passed(Topic::Record, format_args!("{user} is there")),
        (Some(user), None) => Check::failed(
            Topic::Record,
            format_args!("{user} is not in {database}.users"),
            "the server writes elsewhere: compare MONGODB_URI and MONGODB_DB_NAME there and here",
        ),
    };
    vec![answers, record]
}
