//! What the engine says to JavaScript: of each acceptance numbers and texts, of all else JSON.

use core::fmt::Display;
use core::time::Duration;

use doorward_verifier::{
    Check, Code, FactorAges, Grants, Impersonator, Organization, Principal, Scoped, UnixTime, VerifyError,
};

/// Who an accepted token stands for, in the order in which `js/engine.js` reads it: numbers, then the lengths of the
/// texts that follow one another. Lengths are in UTF-16, as JavaScript cuts text; -1 is a text that is not there.
pub(crate) type Numbers = [f64; 9];

/// Says who an accepted token stands for, and until when the same may be said without asking again.
pub(crate) fn accepted(principal: &Principal, until: UnixTime, numbers: &mut Numbers, text: &mut Json) {
    text.restart();
    let issued_at = principal.issued_at().map_or(-1.0, |at| at.as_secs() as f64);
    let mut lay = |part: Option<&str>| {
        let Some(part) = part else { return -1.0 };
        text.0.extend_from_slice(part.as_bytes());
        // Nearly always: counting characters would take longer than all else here.
        if part.is_ascii() {
            return part.len() as f64;
        }
        part.chars().map(char::len_utf16).sum::<usize>() as f64
    };
    *numbers = [
        until.as_millis() as f64,
        principal.expires_at().as_secs() as f64,
        issued_at,
        f64::from(principal.is_pending()),
        lay(Some(principal.user_id())),
        lay(principal.session_id()),
        lay(Some(principal.issuer().as_str())),
        lay(principal.authorized_party()),
        lay(Some(principal.key_id().as_str())),
    ];
    // The payload, as the token spells it, is the rest.
    text.0.extend_from_slice(principal.claims_json().as_bytes());
}

/// JSON text in the making, in UTF-8. Commas come by themselves.
#[derive(Default)]
pub(crate) struct Json(Vec<u8>);

impl Json {
    /// What few callers ask for.
    pub(crate) fn granted(&mut self, grants: &Grants) {
        self.restart();
        self.open(b'{');
        self.organization(grants.organization());
        self.scoped("features", grants.features());
        self.scoped("plans", grants.plans());
        self.factor_ages(grants.factor_ages());
        self.impersonator(grants.impersonator());
        self.close(b'}');
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

    fn organization(&mut self, organization: Option<&Organization>) {
        self.member("organization");
        let Some(organization) = organization else { return self.null() };
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
    fn factor_ages(&mut self, ages: Option<FactorAges>) {
        self.member("factorAges");
        let Some(ages) = ages else { return self.null() };
        self.open(b'[');
        for age in [ages.first_mins, ages.second_mins] {
            match age {
                Some(mins) => self.number(mins),
                None => self.raw("-1"),
            }
        }
        self.close(b']');
    }

    fn impersonator(&mut self, impersonator: Option<&Impersonator>) {
        self.member("impersonator");
        let Some(impersonator) = impersonator else { return self.null() };
        self.open(b'{');
        self.member("userId").text(&impersonator.user_id);
        self.member("issuer").optional(impersonator.issuer.as_deref());
        self.member("sessionId").optional(impersonator.session_id.as_deref());
        self.close(b'}');
    }

    fn restart(&mut self) {
        self.0.clear();
    }

    fn separate(&mut self) {
        if !matches!(self.0.last(), None | Some(b'{' | b'[' | b':')) {
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
