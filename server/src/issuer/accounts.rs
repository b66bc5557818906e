//! The accounts of a local issuer: one file each, of the shape that Clerk's Backend API answers with.

use std::path::PathBuf;

use doorward_verifier::UnixTime;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{IssuerError, LocalIssuer, files, pretty};
use crate::clerk::ClerkUser;
use crate::user::{Identity, UserId};

/// Members that name an account or tell its history: an edit leaves them alone.
const FIXED_MEMBERS: [&str; 4] = ["id", "object", "created_at", "updated_at"];

/// An account: the members of Clerk's user object.
#[derive(Clone, Debug, PartialEq)]
pub struct Account(Map<String, Value>);

/// The user of every new issuer.
pub fn first_user() -> Result<UserId, IssuerError> {
    Ok(UserId::parse("user_ada")?)
}

/// A session of this user, of whom so many were ended before. It follows from both, so that only their number is kept.
fn session_id(user: &UserId, ended: u64) -> String {
    let name = if ended == 0 { user.to_string() } else { format!("{user}#{ended}") };
    format!("sess_{}", Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()).simple())
}

impl Account {
    /// An account with a verified address at a domain that can't exist (RFC 2606).
    pub fn new(id: &UserId, first_name: &str, last_name: &str, now: UnixTime) -> Account {
        let handle = id.as_str().trim_start_matches("user_");
        let email = format!("{}@example.com", handle.to_ascii_lowercase());
        let address_id = format!("idn_{handle}");
        Account(members(json!({
            "id": id.as_str(), "object": "user",
            "username": handle.to_ascii_lowercase(), "first_name": first_name, "last_name": last_name,
            "image_url": format!("https://img.example.com/{handle}.png"), "has_image": true,
            "primary_email_address_id": address_id,
            "email_addresses": [{
                "id": address_id, "object": "email_address", "email_address": email,
                "verification": { "status": "verified", "strategy": "admin" },
            }],
            "phone_numbers": [], "external_accounts": [], "external_id": null,
            "public_metadata": {}, "private_metadata": {}, "unsafe_metadata": {},
            "banned": false, "locked": false,
            "created_at": now.as_millis(), "updated_at": now.as_millis(), "last_sign_in_at": now.as_millis(),
        })))
    }

    /// The account of somebody who signed up with this address and has said nothing else yet.
    pub(super) fn signed_up(id: &UserId, email: &str, now: UnixTime) -> Account {
        let address_id = format!("idn_{}", id.as_str().trim_start_matches("user_"));
        let said = json!({
            "username": null, "first_name": null, "last_name": null,
            "primary_email_address_id": address_id,
            "email_addresses": [{
                "id": address_id, "object": "email_address", "email_address": email,
                "verification": { "status": "verified", "strategy": "email_code" },
            }],
        });
        let mut account = Account::new(id, "", "", now);
        account.0.extend(members(said));
        account
    }

    /// The object as the Backend API answers with it.
    pub fn to_json(&self) -> Value {
        Value::Object(self.0.clone())
    }

    /// Who it is, as a server that asks for it reads it.
    pub fn identity(&self) -> Option<Identity> {
        serde_json::from_value::<ClerkUser>(self.to_json()).ok().map(Identity::from)
    }

    /// Whether one of its addresses is among these, in any case.
    pub(super) fn has_address(&self, addresses: &[String]) -> bool {
        let own = self.0.get("email_addresses").and_then(Value::as_array).into_iter().flatten();
        let mut own = own.filter_map(|address| address.get("email_address")?.as_str());
        own.any(|own| addresses.iter().any(|address| address.eq_ignore_ascii_case(own)))
    }

    pub(super) fn created_at(&self) -> u64 {
        self.0.get("created_at").and_then(Value::as_u64).unwrap_or_default()
    }

    /// With these members in place of its own. `updated_at` always moves on: readers order their copies by it.
    pub fn edited(mut self, changes: Map<String, Value>, now: UnixTime) -> Account {
        let before = self.0.get("updated_at").and_then(Value::as_u64).unwrap_or(0);
        let changes = changes.into_iter().filter(|(name, _)| !FIXED_MEMBERS.contains(&name.as_str()));
        self.0.extend(changes);
        self.0.insert("updated_at".to_owned(), now.as_millis().max(before + 1).into());
        self
    }
}

impl LocalIssuer {
    /// The account of this id, read from its file: people edit it by hand, too.
    pub fn account(&self, id: &UserId) -> Result<Option<Account>, IssuerError> {
        let path = self.account_path(id);
        let Some(bytes) = files::read(&path)? else { return Ok(None) };
        match serde_json::from_slice(&bytes) {
            Ok(members) => Ok(Some(Account(members))),
            Err(error) => Err(IssuerError::Malformed { path, reason: error.to_string() }),
        }
    }

    /// Every account, in the order of their ids.
    pub fn accounts(&self) -> Result<Vec<(UserId, Account)>, IssuerError> {
        let names = files::names(&self.folder.join("users"))?;
        let ids = names.iter().filter_map(|name| UserId::parse(name.strip_suffix(".json")?).ok());
        ids.filter_map(|id| self.account(&id).map(|account| Some((id, account?))).transpose()).collect()
    }

    /// Keeps the account, in place of an earlier one of this id.
    pub fn save_account(&self, id: &UserId, account: &Account) -> Result<(), IssuerError> {
        files::create_folder(&self.folder.join("users"))?;
        files::write_private(&self.account_path(id), &pretty(&account.0)?)
    }

    /// The account of this id, made up if nobody has it: whether it was made.
    pub fn ensure_account(&self, id: &UserId, now: UnixTime) -> Result<bool, IssuerError> {
        if self.account(id)?.is_some() {
            return Ok(false);
        }
        self.save_account(id, &Account::new(id, "Test", "User", now))?;
        Ok(true)
    }

    /// Removes the account: whether there was one.
    pub fn remove_account(&self, id: &UserId) -> Result<bool, IssuerError> {
        files::remove(&self.account_path(id))
    }

    /// The one session that this user has now.
    pub fn session_id(&self, id: &UserId) -> Result<String, IssuerError> {
        Ok(session_id(id, self.ended_sessions(id)?))
    }

    /// Ends the session that this user has now: its id. The next token is of a new one.
    pub fn end_session(&self, id: &UserId) -> Result<String, IssuerError> {
        let ended = self.ended_sessions(id)?;
        files::create_folder(&self.folder.join("ended-sessions"))?;
        files::write_private(&self.ended_sessions_path(id), format!("{}\n", ended + 1).as_bytes())?;
        Ok(session_id(id, ended))
    }

    fn ended_sessions(&self, id: &UserId) -> Result<u64, IssuerError> {
        let path = self.ended_sessions_path(id);
        let Some(bytes) = files::read(&path)? else { return Ok(0) };
        let number = String::from_utf8_lossy(&bytes).trim().parse();
        number.map_err(|_| IssuerError::Malformed { path, reason: "expected a number".to_owned() })
    }

    fn ended_sessions_path(&self, id: &UserId) -> PathBuf {
        self.folder.join("ended-sessions").join(id.as_str())
    }

    pub(super) fn add_first_account(&self, now: UnixTime) -> Result<(), IssuerError> {
        let id = first_user()?;
        self.save_account(&id, &Account::new(&id, "Ada", "Lovelace", now))
    }

    fn account_path(&self, id: &UserId) -> PathBuf {
        self.folder.join("users").join(format!("{id}.json"))
    }
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
