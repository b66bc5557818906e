//! What the engine says, as JSON text for JavaScript.

use core::fmt::Display;
use core::time::Duration;

use doorward_verifier::{Check, Code, Principal, Scoped, UnixTime, VerifyError};

/// JSON text in the making, in UTF-8. Commas come by themselves.
#[derive(Default)]
pub(crate) struct Json(Vec<u8>);

impl Json {
    /// The principal of an accepted token, kept until `until`, in three lines: what every caller asks for, what some
    /// do, and the whole payload as the token spells it. JavaScript reads the last two only when they are asked for.
    pub(crate) fn accepted(&mut self, principal: &Principal, until: UnixTime) {
        self.restart();
        self.open(b'{');
        self.member("until").number(until.as_millis());
        self.member("userId").text(principal.user_id());
        self.member("sessionId").optional(principal.session_id());
        self.member("issuer").text(principal.issuer().as_str());
        self.member("authorizedParty").optional(principal.authorized_party());
        self.member("keyId").text(principal.key_id().as_str());
        self.member("expiresAt").number(principal.expires_at().as_secs());
        match principal.issued_at() {
            Some(at) => self.member("issuedAt").number(at.as_secs()),
            None => self.member("issuedAt").null(),
        }
        self.member("isPending").flag(principal.is_pending());
        self.close(b'}');
        self.line();
        self.open(b'{');
        self.organization(principal);
        self.scoped("features", principal.features());
        self.scoped("plans", principal.plans());
        self.factor_ages(principal);
        self.impersonator(principal);
        self.close(b'}');
        self.line();
        self.0.extend_from_slice(principal.claims_json().as_bytes());
    }

    /// Why a token was not accepted.
    pub(crate) fn refused(&mut self, error: &VerifyError) {
        self.restart();
        self.error(error);
    }

    /// What a request is, when it is not verified.
    pub(crate) fn decided(&mut self, check: &Check) {
        self.restart();
        self.open(b'{');
        self.member("outcome").text(check.as_str());
        match check {
            Check::Stale(error) | Check::Rejected(error) => self.member("error").error(error),
            Check::Unavailable { retry_after } => {
                self.member("error").error(&VerifyError::KeysUnavailable { retry_after: *retry_after });
            }
            // Nothing is presented, or it is an outcome that is not known here.
            _ => self.member("error").error(&VerifyError::TokenMissing),
        }
        self.close(b'}');
    }

    /// What is true of a code wherever it appears.
    pub(crate) fn facts(&mut self, code: Code) {
        self.restart();
        self.code(code, &code.hint(), None);
    }

    fn error(&mut self, error: &VerifyError) {
        let retry_after = match error {
            VerifyError::KeysUnavailable { retry_after } => Some(*retry_after),
            _ => None,
        };
        self.code(error.code(), error, retry_after);
    }

    fn code(&mut self, code: Code, message: &dyn Display, retry_after: Option<Duration>) {
        self.open(b'{');
        self.member("code").text(code.as_str());
        self.member("reason").text(code.reason());
        self.member("kind").text(code.kind().as_str());
        self.member("hint").text(code.hint());
        self.member("status").number(code.status().into());
        self.member("message").text(&message.to_string());
        if let Some(retry_after) = retry_after {
            // In whole seconds, as in HTTP; asking at once would be told the same.
            self.member("retryAfter")
                .number((retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0)).max(1));
        }
        self.close(b'}');
    }

    /// Text that is no JSON: an error for the program's author, a URL.
    pub(crate) fn plain(&mut self, text: &dyn Display) {
        self.restart();
        self.0.extend_from_slice(text.to_string().as_bytes());
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn organization(&mut self, principal: &Principal) {
        self.member("organization");
        let Some(organization) = principal.organization() else { return self.null() };
        self.open(b'{');
        self.member("id").text(&organization.id);
        self.member("slug").optional(organization.slug.as_deref());
        self.member("role").optional(organization.role.as_deref());
        self.member("permissions").texts(organization.permissions.iter().map(String::as_str));
        self.member("permissionsDisputed").flag(organization.permissions_disputed);
        self.close(b'}');
    }

    fn scoped(&mut self, name: &str, held: &[Scoped]) {
        self.member(name).open(b'{');
        self.member("organization")
            .texts(held.iter().filter(|one| one.organization).map(|one| one.slug.as_str()));
        self.member("user").texts(held.iter().filter(|one| one.user).map(|one| one.slug.as_str()));
        self.close(b'}');
    }

    /// As Clerk's `fva`: minutes, -1 for a factor that was never verified.
    fn factor_ages(&mut self, principal: &Principal) {
        self.member("factorAges");
        let Some(ages) = principal.factor_ages() else { return self.null() };
        self.open(b'[');
        for age in [ages.first_mins, ages.second_mins] {
            match age {
                Some(mins) => self.number(mins),
                None => self.raw("-1"),
            }
        }
        self.close(b']');
    }

    fn impersonator(&mut self, principal: &Principal) {
        self.member("impersonator");
        let Some(impersonator) = principal.impersonator() else { return self.null() };
        self.open(b'{');
        self.member("userId").text(&impersonator.user_id);
        self.member("issuer").optional(impersonator.issuer.as_deref());
        self.member("sessionId").optional(impersonator.session_id.as_deref());
        self.close(b'}');
    }

    fn restart(&mut self) {
        self.0.clear();
    }

    fn line(&mut self) {
        self.0.push(b'\n');
    }

    fn separate(&mut self) {
        if !matches!(self.0.last(), None | Some(b'{' | b'[' | b':' | b'\n')) {
            self.0.push(b',');
        }
    }

    fn open(&mut self, bracket: u8) {
        self.separate();
        self.0.push(bracket);
    }

    fn close(&mut self, bracket: u8) {
        self.0.push(bracket);
    }

    fn member(&mut self, name: &str) -> &mut Json {
        self.text(name);
        self.0.push(b':');
        self
    }

    fn raw(&mut self, value: &str) {
        self.separate();
        self.0.extend_from_slice(value.as_bytes());
    }

    fn flag(&mut self, value: bool) {
        self.raw(if value { "true" } else { "false" });
    }

    fn null(&mut self) {
        self.raw("null");
    }

    fn number(&mut self, number: u64) {
        self.separate();
        let mut unit = 1;
        while number / unit >= 10 {
            unit *= 10;
        }
        while unit > 0 {
            self.0.push(b'0' + (number / unit % 10) as u8);
            unit /= 10;
        }
    }

    fn texts<'t>(&mut self, texts: impl Iterator<Item = &'t str>) {
        self.open(b'[');
        texts.for_each(|text| self.text(text));
        self.close(b']');
    }

    fn optional(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.text(text),
            None => self.null(),
        }
    }

    /// RFC 8259 section 7: quotes, backslashes and control characters are escaped.
    fn text(&mut self, text: &str) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        self.separate();
        self.0.push(b'"');
        for byte in text.bytes() {
            match byte {
                b'"' | b'\\' => self.0.extend_from_slice(&[b'\\', byte]),
                0..b' ' => {
                    let [high, low] = [byte >> 4, byte & 15].map(|digit| HEX[usize::from(digit)]);
                    self.0.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
                }
                _ => self.0.push(byte),
            }
        }
        self.0.push(b'"');
    }
}
