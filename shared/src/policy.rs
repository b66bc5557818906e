//! `Issuer`, `Origin`s, `Policy`: what one deployment accepts.

use core::fmt;
use core::net::Ipv4Addr;
use core::time::Duration;
use std::sync::Arc;

use crate::base64;
use crate::key_set::KeyId;
use crate::pasted::unwrapped;
use crate::signature::Algorithm;
use crate::text;

/// The longest life that a token may have. Clerk's default is a minute, a template may ask for more.
pub const MAX_LIFETIME: Duration = Duration::from_secs(3600);
/// How far two clocks may be apart unless the policy says otherwise: the default of Clerk's own SDK.
pub const DEFAULT_CLOCK_SKEW: Duration = Duration::from_secs(5);
/// The most that a policy may allow: beyond it, a token of one minute would live for several.
pub const MAX_CLOCK_SKEW: Duration = Duration::from_secs(60);

/// Why a part of a policy is not taken: what was expected, what came, what to change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// Not `https://host[:port][/path]`, or http for a host that is not a loopback address.
    #[error(
        "expected an issuer such as https://clerk.example.com (http only for a loopback address), got \"{}\": give scheme and host in lower case, without a slash at the end", .0.escape_default()
    )]
    Issuer(String),
    /// Not `pk_test_` or `pk_live_` and the base64 of a host and `$`.
    #[error(
        "expected a publishable key such as pk_test_…, as the Clerk dashboard shows it under API keys, got \"{}\": {wrong}", .shown.escape_default()
    )]
    PublishableKey {
        /// What came, cut before anything that could be secret.
        shown: String,
        /// What is wrong with it.
        wrong: &'static str,
    },
    /// Not an origin, nor a pattern of one.
    #[error("expected an origin such as https://app.example.com, got \"{}\": {wrong}", .given.escape_default())]
    Origin {
        /// What came.
        given: String,
        /// What is wrong with it.
        wrong: &'static str,
    },
    /// No authorized party was named.
    #[error("no authorized party: name the frontend's origins, or say `any party`")]
    NoParty,
    /// More than [`MAX_CLOCK_SKEW`].
    #[error("a clock skew of {} s, at most {} s are taken: synchronise the clock instead", .0.as_secs(), MAX_CLOCK_SKEW.as_secs())]
    ClockSkew(Duration),
    /// No algorithm was named.
    #[error("no algorithm: name RS256, the one that Clerk signs with")]
    NoAlgorithm,
    /// An audience that is empty or blank.
    #[error("an empty audience: name the `aud` of the template, or leave it out")]
    NoAudience,
}

/// Who issues an instance's tokens: `iss` as the tokens spell it, compared byte for byte (RFC 7519 section 4.1.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Issuer(Arc<str>);

impl Issuer {
    /// Takes `https://host[:port][/path]` in lower case, without a slash at the end; `http` only for a loopback
    /// address.
    ///
    /// # Errors
    ///
    /// [`PolicyError::Issuer`].
    pub fn parse(text: &str) -> Result<Issuer, PolicyError> {
        let wrong = || PolicyError::Issuer(text.to_owned());
        let (scheme, rest) = text::split_once_at(text, "://").ok_or_else(wrong)?;
        let authority = text::split(rest, b'/').next().unwrap_or_default();
        let path = rest.get(authority.len()..).unwrap_or_default();
        let scheme_fits = scheme == "https" || (scheme == "http" && is_loopback(authority));
        let path_fits = path.is_empty()
            || (!path.ends_with("/") && !text::contains(path, "//") && path.bytes().all(is_path_byte));
        if scheme_fits && is_authority(authority) && path_fits {
            Ok(Issuer(Arc::from(text)))
        } else {
            Err(wrong())
        }
    }

    /// The issuer as a token spells it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Host and port, without scheme and path.
    pub fn host(&self) -> &str {
        let rest = text::split_once_at(&self.0, "://").map_or(&*self.0, |(_, rest)| rest);
        text::split(rest, b'/').next().unwrap_or(rest)
    }

    /// Where the instance publishes its keys, for anyone to read (Clerk, "Manual JWT verification").
    pub fn jwks_url(&self) -> String {
        [&*self.0, "/.well-known/jwks.json"].concat()
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A Clerk instance's publishable key: its kind and, in base64, the host of its Frontend API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishableKey {
    text: String,
    issuer: Issuer,
    is_live: bool,
}

impl PublishableKey {
    /// Takes `pk_test_…` or `pk_live_…`. A `pk_test_` key whose host is a loopback address means http.
    ///
    /// White space, quotes and a byte order mark around the key are not part of it; padding of its base64 is, since the
    /// cookies' suffix is made of the key's text.
    ///
    /// # Errors
    ///
    /// [`PolicyError::PublishableKey`].
    pub fn parse(text: &str) -> Result<PublishableKey, PolicyError> {
        let text = unwrapped(text);
        let shown: String = text.chars().take(8).collect();
        let error = |wrong| PolicyError::PublishableKey { shown: shown.clone(), wrong };
        if text.starts_with("sk_") {
            return Err(error("this is a secret key: it belongs into CLERK_SECRET_KEY, and nowhere public"));
        }
        let (is_live, encoded) = match (text.strip_prefix("pk_live_"), text.strip_prefix("pk_test_")) {
            (Some(encoded), _) => (true, encoded),
            (_, Some(encoded)) => (false, encoded),
            _ => return Err(error("it begins with neither pk_test_ nor pk_live_")),
        };
        let decoded = decode_host(encoded).ok_or_else(|| error("what follows is not base64"))?;
        let host = decoded
            .strip_suffix("$")
            .ok_or_else(|| error("the host in it does not end with $: was it cut?"))?;
        if !host.bytes().any(|byte| byte == b'.') || !is_authority(host) {
            return Err(error("it names no host"));
        }
        let scheme = if !is_live && is_loopback(host) { "http" } else { "https" };
        let issuer = Issuer::parse(&[scheme, "://", host].concat()).map_err(|_| error("it names no host"))?;
        Ok(PublishableKey { text: text.to_owned(), issuer, is_live })
    }

    /// The key itself: it is public.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The issuer of this instance's tokens: `https://` and the host of its Frontend API.
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// The host of the Frontend API.
    pub fn host(&self) -> &str {
        self.issuer.host()
    }

    /// A production instance's key.
    pub fn is_live(&self) -> bool {
        self.is_live
    }

    /// What the names of this instance's cookies end with: eight characters of the SHA-1 of the key's text, in
    /// base64 with `-` and `_` (@clerk/shared, `getCookieSuffix`).
    pub fn cookie_suffix(&self) -> String {
        use sha1::Digest;
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let digest = sha1::Sha1::digest(self.text.as_bytes());
        let bits = digest.iter().take(6).fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
        (0..8).rev().map(|i| char::from(ALPHABET[(bits >> (6 * i) & 63) as usize])).collect()
    }
}

/// Standard base64 in one piece, with or without padding, however much of it there is.
fn decode_host(encoded: &str) -> Option<String> {
    let unpadded = encoded.strip_suffix("==").or(encoded.strip_suffix("=")).unwrap_or(encoded);
    if unpadded.bytes().any(|byte| byte.is_ascii_whitespace() || byte == b'=') {
        return None;
    }
    String::from_utf8(base64::decode(unpadded).ok()?).ok()
}

/// Host and optional port, in lower case.
fn is_authority(text: &str) -> bool {
    if let Some(rest) = text.strip_prefix("[::1]") {
        return rest.is_empty() || rest.strip_prefix(":").is_some_and(is_port);
    }
    let (host, port) = text::split_once(text, b':').map_or((text, None), |(host, port)| (host, Some(port)));
    is_host(host) && port.is_none_or(is_port)
}

fn is_host(host: &str) -> bool {
    host.len() <= 253 && text::split(host, b'.').all(is_label)
}

/// A DNS label in lower case (RFC 1035 section 2.3.1, with digits first as RFC 1123 section 2.1 allows).
fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && !label.starts_with("-")
        && !label.ends_with("-")
        && label.bytes().all(|byte| is_label_byte(byte) || byte == b'_')
}

fn is_label_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'
}

fn is_port(port: &str) -> bool {
    !port.starts_with(['0', '+']) && port.parse::<u16>().is_ok()
}

fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte)
}

/// Whether an authority is `localhost`, 127.0.0.0/8 or `[::1]`, with or without a port.
fn is_loopback(authority: &str) -> bool {
    if authority == "[::1]" || authority.starts_with("[::1]:") {
        return true;
    }
    let host = text::split(authority, b':').next().unwrap_or_default();
    host == "localhost" || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

/// An origin (RFC 6454 section 6.1), or a pattern of one with a single `*` inside one DNS label of its host.
///
/// The `*` stands for one or more letters, digits and hyphens. Everything else is compared byte for byte, from end to
/// end: `https://app-*.example.com` takes `https://app-7.example.com` and nothing of another host, scheme or port.
///
/// The last two labels are written out. Which names anybody may register one beneath, such as `co.uk` or `vercel.app`, is
/// not known here: a pattern right above one of these takes the origins of strangers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginPattern(String);

impl OriginPattern {
    /// Takes `scheme://host[:port]` in lower case, without a slash at the end, as a browser sends it.
    ///
    /// # Errors
    ///
    /// [`PolicyError::Origin`].
    pub fn parse(text: &str) -> Result<OriginPattern, PolicyError> {
        match origin_fault(text) {
            None => Ok(OriginPattern(text.to_owned())),
            Some(wrong) => Err(PolicyError::Origin { given: text.to_owned(), wrong }),
        }
    }

    /// The pattern as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is one origin rather than a pattern.
    pub fn is_exact(&self) -> bool {
        !self.0.bytes().any(|byte| byte == b'*')
    }

    /// Whether `origin` is meant.
    pub fn matches(&self, origin: &str) -> bool {
        let Some((before, after)) = text::split_once(&self.0, b'*') else {
            return self.0 == origin;
        };
        origin
            .strip_prefix(before)
            .and_then(|rest| rest.strip_suffix(after))
            .is_some_and(|middle| !middle.is_empty() && middle.bytes().all(is_label_byte))
    }
}

fn origin_fault(text: &str) -> Option<&'static str> {
    let Some((scheme, authority)) = text::split_once_at(text, "://") else {
        return Some("the scheme is missing: write https:// before it");
    };
    let starts_well = scheme.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Some("browsers send origins in lower case: write it so");
    }
    if !starts_well || !scheme.bytes().all(|byte| is_label_byte(byte) || byte == b'+' || byte == b'.') {
        return Some("the scheme is not one");
    }
    if authority.bytes().any(|byte| b"/?#@".contains(&byte)) {
        return Some("an origin ends after host and port: take away the slash and what follows");
    }
    if (scheme == "https" && authority.ends_with(":443")) || (scheme == "http" && authority.ends_with(":80"))
    {
        return Some("browsers leave the default port out: take it away");
    }
    let stars = authority.bytes().filter(|byte| *byte == b'*').count();
    if stars > 1 {
        return Some("one * is taken, inside one label of the host");
    }
    let host = text::split(authority, b':').next().unwrap_or_default();
    if stars > 0 {
        let labels_after =
            text::split_once(host, b'*').map(|(_, after)| text::split(after, b'.').count() - 1);
        if labels_after.is_none_or(|labels| labels < 2) {
            return Some("the * must stand in a label before the domain, as in https://app-*.example.com");
        }
    }
    let (before, after) = text::split_once(authority, b'*').unwrap_or((authority, ""));
    let filled = [before, if stars > 0 { "x" } else { "" }, after].concat();
    if is_authority(&filled) { None } else { Some("the host or the port is not one") }
}

/// Which origins' tokens are accepted: `azp` (OpenID Connect Core section 2), the origin that a token was made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthorizedParties {
    /// Whatever `azp` says. Asked for by name, since it lets the tokens of any of the instance's sites in.
    AnyParty,
    /// These alone.
    Only(Vec<OriginPattern>),
}

impl AuthorizedParties {
    /// The words that ask for [`AuthorizedParties::AnyParty`].
    pub const ANY_PARTY: &'static str = "any party";

    /// Takes origins and patterns, or the words `any party` alone.
    ///
    /// # Errors
    ///
    /// [`PolicyError::NoParty`] for an empty list, [`PolicyError::Origin`] for the first that is not one.
    pub fn parse<'t>(parties: impl IntoIterator<Item = &'t str>) -> Result<AuthorizedParties, PolicyError> {
        let parties: Vec<&str> = parties.into_iter().collect();
        if parties == [AuthorizedParties::ANY_PARTY] {
            return Ok(AuthorizedParties::AnyParty);
        }
        let origins: Vec<_> = parties.into_iter().map(OriginPattern::parse).collect::<Result<_, _>>()?;
        if origins.is_empty() { Err(PolicyError::NoParty) } else { Ok(AuthorizedParties::Only(origins)) }
    }

    /// Whether `origin` is one of them.
    pub fn include(&self, origin: &str) -> bool {
        match self {
            AuthorizedParties::AnyParty => true,
            AuthorizedParties::Only(origins) => origins.iter().any(|known| known.matches(origin)),
        }
    }
}

/// What a token without `azp` means. Clerk leaves it out where no browser sent an `Origin`: native apps, tokens made
/// by the Backend API, and those made while a page is navigated to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingAzp {
    /// It is refused.
    Refuse,
    /// It is accepted.
    Allow,
}

/// What one deployment accepts. There is no default: whom to trust is said, or it does not compile.
#[derive(Clone, Debug)]
pub struct Policy {
    pub(crate) issuers: Vec<Issuer>,
    pub(crate) parties: AuthorizedParties,
    pub(crate) missing_azp: MissingAzp,
    pub(crate) template_audience: Option<String>,
    pub(crate) clock_skew: Duration,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) accept_pending: bool,
    pub(crate) denied_kids: Vec<KeyId>,
}

impl Policy {
    /// RS256 tokens of this issuer for these parties, with a clock skew of 5 s.
    pub fn new(issuer: Issuer, parties: AuthorizedParties, missing_azp: MissingAzp) -> Policy {
        Policy {
            issuers: vec![issuer],
            parties,
            missing_azp,
            template_audience: None,
            clock_skew: DEFAULT_CLOCK_SKEW,
            algorithms: vec![Algorithm::Rs256],
            accept_pending: false,
            denied_kids: Vec::new(),
        }
    }

    /// Other spellings of the same instance in `iss`: its proxy, its satellites. Never another instance: its owner
    /// could sign for any user.
    #[must_use]
    pub fn with_issuer_aliases(mut self, aliases: impl IntoIterator<Item = Issuer>) -> Policy {
        self.issuers.extend(aliases);
        self
    }

    /// Takes tokens of a JWT template too, if their `aud` names this.
    ///
    /// # Errors
    ///
    /// [`PolicyError::NoAudience`] for one that is empty or blank.
    pub fn with_template_audience(mut self, audience: impl Into<String>) -> Result<Policy, PolicyError> {
        let audience = audience.into();
        if audience.trim_ascii().is_empty() {
            return Err(PolicyError::NoAudience);
        }
        self.template_audience = Some(audience);
        Ok(self)
    }

    /// How far the issuer's clock and ours may be apart: 0 to [`MAX_CLOCK_SKEW`].
    ///
    /// # Errors
    ///
    /// [`PolicyError::ClockSkew`] for more.
    pub fn with_clock_skew(mut self, skew: Duration) -> Result<Policy, PolicyError> {
        if skew > MAX_CLOCK_SKEW {
            return Err(PolicyError::ClockSkew(skew));
        }
        self.clock_skew = skew;
        Ok(self)
    }

    /// The algorithms to take in place of RS256.
    ///
    /// # Errors
    ///
    /// [`PolicyError::NoAlgorithm`] for an empty list.
    pub fn with_algorithms(mut self, algorithms: impl Into<Vec<Algorithm>>) -> Result<Policy, PolicyError> {
        self.algorithms = algorithms.into();
        if self.algorithms.is_empty() { Err(PolicyError::NoAlgorithm) } else { Ok(self) }
    }

    /// Takes sessions whose user still has a task to finish (`sts: "pending"`).
    #[must_use]
    pub fn accept_pending(mut self) -> Policy {
        self.accept_pending = true;
        self
    }

    /// Keys that no token may be signed with, whatever the issuer publishes.
    #[must_use]
    pub fn with_denied_kids(mut self, kids: impl IntoIterator<Item = KeyId>) -> Policy {
        self.denied_kids.extend(kids);
        self
    }

    /// Whether no token may be signed with the key of this name. It needs no keys to be told so.
    pub fn denies(&self, kid: &KeyId) -> bool {
        self.denied_kids.contains(kid)
    }

    /// The issuer that the policy was made for.
    pub fn issuer(&self) -> &Issuer {
        // `new` put it there, and nothing takes it away.
        &self.issuers[0]
    }

    /// Whose tokens are accepted.
    pub fn authorized_parties(&self) -> &AuthorizedParties {
        &self.parties
    }

    /// How far the clocks may be apart.
    pub fn clock_skew(&self) -> Duration {
        self.clock_skew
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_an_https_url_without_a_slash_at_the_end() {
        for good in [
            "https://clerk.example.com",
            "https://a.clerk.accounts.dev",
            "http://127.0.0.1:4000",
            "http://localhost:1",
            "https://app.example.com/__clerk",
            "https://app.example.com/v1.2/~clerk-2",
            "http://[::1]:80",
            "http://[::1]",
            "https://[::1]/clerk",
            "http://127.1.2.3/clerk",
            "https://1-a.b_c:65535",
        ] {
            assert!(Issuer::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "clerk.example.com",
            "http://clerk.example.com",
            "https://",
            "https://clerk.example.com/",
            "https://Clerk.example.com",
            "https://a b",
            "ftp://a.b",
            "https://a.b:0",
            "https://a.b:99999",
            "https://a..b",
            "https://u@a.b",
            "http://127.0.0.1.evil.com",
            "http://localhost.evil.com",
            "http://1.2.3.4",
            "ftp://127.0.0.1",
            "https://a.b//clerk",
            "https://a.b/clerk/",
            "https://a.b/clerk?x=1",
            "https://a.b/clerk#x",
            "https://a.b/cl%65rk",
            "https://a.b/cl erk",
            "https://-a.b",
            "https://a-.b",
            "https://a+.b",
            "https://a.b:",
            "https://a.b:+80",
            "https://a.b:080",
            "https://a.b:8o",
            "https://a.b:65536",
            "https://a.b:100000",
            "https://a.b:80:80",
            "https://[::1]x",
            "https://[::1]:",
            "https://[::2]",
        ] {
            assert!(Issuer::parse(bad).is_err(), "{bad}");
        }
    }

    /// RFC 1035 section 2.3.4: 63 characters in a label, 253 in a name as it is written.
    #[test]
    fn a_host_is_as_long_as_dns_allows() {
        let is_taken = |host: &str| Issuer::parse(&format!("https://{host}")).is_ok();
        let label = |len| "a".repeat(len);
        assert!(is_taken(&label(63)));
        assert!(!is_taken(&label(64)));
        let host = |last| [label(63), label(63), label(63), label(last)].join(".");
        assert!(is_taken(&host(61)));
        assert!(!is_taken(&host(62)));
    }

    #[test]
    fn an_issuer_is_shown_as_it_was_given() {
        let issuer = Issuer::parse("https://app.example.com:8443/__clerk").unwrap();
        assert_eq!(issuer.as_str(), "https://app.example.com:8443/__clerk");
        assert_eq!(issuer.to_string(), issuer.as_str());
        assert_eq!(issuer.host(), "app.example.com:8443");
        assert_eq!(issuer.jwks_url(), "https://app.example.com:8443/__clerk/.well-known/jwks.json");
    }

    #[test]
    fn a_publishable_key_names_its_instance() {
        // base64 of "clerk.example.com$"
        let key = PublishableKey::parse("pk_live_Y2xlcmsuZXhhbXBsZS5jb20k").unwrap();
        assert_eq!(key.issuer().as_str(), "https://clerk.example.com");
        assert_eq!(key.host(), "clerk.example.com");
        assert!(key.is_live());
        // base64 of "127.0.0.1:4000$"
        let local = PublishableKey::parse(" pk_test_MTI3LjAuMC4xOjQwMDAk\n").unwrap();
        assert_eq!(local.issuer().as_str(), "http://127.0.0.1:4000");
        assert_eq!(local.as_str(), "pk_test_MTI3LjAuMC4xOjQwMDAk");
        let quoted = PublishableKey::parse("\u{feff}'pk_test_MTI3LjAuMC4xOjQwMDAk' ").unwrap();
        assert_eq!(quoted, local);
        assert!(!local.is_live());
        let test = PublishableKey::parse("pk_test_Y2xlcmsuZXhhbXBsZS5jb20k").unwrap();
        assert_eq!(test.issuer().as_str(), "https://clerk.example.com");
        assert_eq!(
            PublishableKey::parse("pk_live_MTI3LjAuMC4xOjQwMDAk").unwrap().issuer().as_str(),
            "https://127.0.0.1:4000"
        );
    }

    #[test]
    fn a_text_that_is_no_publishable_key_is_refused_without_being_repeated() {
        for (bad, why) in [
            ("", "it begins with neither pk_test_ nor pk_live_"),
            ("pk_prod_Y2xlcmsuZXhhbXBsZS5jb20k", "it begins with neither pk_test_ nor pk_live_"),
            ("PK_TEST_Y2xlcmsuZXhhbXBsZS5jb20k", "it begins with neither pk_test_ nor pk_live_"),
            ("pk_test_Y2xl_cmsk", "what follows is not base64"),
            ("pk_test_Y2xlcmsu ZXhhbXBsZS5jb20k", "what follows is not base64"),
            ("pk_test_Y2xlcmsuZXhhbXBsZS5jb20k===", "what follows is not base64"),
            ("pk_test_", "the host in it does not end with $: was it cut?"),
            ("pk_test_Y2xlcmsuZXhhbXBsZS5jb20", "the host in it does not end with $: was it cut?"),
            // `$$$`, `localhost$`, `a.example.com/b$`, `a..b$`
            ("pk_test_JCQk", "it names no host"),
            ("pk_test_bG9jYWxob3N0JA==", "it names no host"),
            ("pk_test_YS5leGFtcGxlLmNvbS9iJA", "it names no host"),
            ("pk_test_YS4uYiQ=", "it names no host"),
        ] {
            match PublishableKey::parse(bad).unwrap_err() {
                PolicyError::PublishableKey { shown, wrong } => {
                    assert_eq!(wrong, why, "{bad}");
                    assert_eq!(shown, bad.get(..8).unwrap_or(bad));
                }
                other => panic!("{bad}: {other}"),
            }
        }
        let secret = PublishableKey::parse("sk_test_abcdefghij").unwrap_err().to_string();
        assert!(secret.contains("secret key") && !secret.contains("abcdefghij"), "{secret}");
    }

    #[test]
    fn padding_is_part_of_a_publishable_key_and_not_of_its_host() {
        // base64 of "a.example.com$" and "aa.example.com$", with padding and without
        for key in ["YS5leGFtcGxlLmNvbSQ=", "YS5leGFtcGxlLmNvbSQ"] {
            let key = PublishableKey::parse(&format!("pk_live_{key}")).unwrap();
            assert_eq!(key.host(), "a.example.com");
        }
        for key in ["YWFhLmV4YW1wbGUuY29tJA==", "YWFhLmV4YW1wbGUuY29tJA"] {
            let text = format!("pk_live_{key}");
            let key = PublishableKey::parse(&text).unwrap();
            assert_eq!((key.host(), key.as_str()), ("aaa.example.com", text.as_str()));
        }
    }

    #[test]
    fn a_cookie_suffix_is_that_of_clerks_own_packages() {
        // `getCookieSuffix("pk_test_Y2xlcmsuZXhhbXBsZS5jb20k")`: base64(SHA-1) is checked against `sha1sum | base64`.
        let key = PublishableKey::parse("pk_test_Y2xlcmsuZXhhbXBsZS5jb20k").unwrap();
        assert_eq!(key.cookie_suffix(), "l2OS3d9k");
    }

    #[test]
    fn a_pattern_is_anchored_within_one_label() {
        let pattern = OriginPattern::parse("https://app-*.example.com").unwrap();
        for good in ["https://app-1.example.com", "https://app-a-b.example.com"] {
            assert!(pattern.matches(good), "{good}");
        }
        for bad in [
            "https://app-.example.com",
            "https://app-1.evil.example.com",
            "https://app-1.example.com.evil.com",
            "http://app-1.example.com",
            "https://app-1.example.com:8443",
            "https://app-A.example.com",
            "https://app-1.example.comx",
            "https://evil.com/app-1.example.com",
            "https://app-1%2e.example.com",
        ] {
            assert!(!pattern.matches(bad), "{bad}");
        }
    }

    #[test]
    fn an_origin_is_exact_or_a_pattern() {
        let origin = OriginPattern::parse("https://app.example.com").unwrap();
        assert!(origin.is_exact());
        assert_eq!(origin.as_str(), "https://app.example.com");
        assert!(origin.matches("https://app.example.com"));
        assert!(!origin.matches("https://app.example.com:8443"));
        let pattern = OriginPattern::parse("https://app-*.example.com").unwrap();
        assert!(!pattern.is_exact());
        assert_eq!(pattern.as_str(), "https://app-*.example.com");
    }

    #[test]
    fn what_is_no_origin_is_refused_with_what_to_change() {
        for (bad, change) in [
            ("", "the scheme is missing"),
            ("app.example.com", "the scheme is missing"),
            ("*", "the scheme is missing"),
            ("https://App.example.com", "in lower case"),
            ("HTTPS://app.example.com", "in lower case"),
            ("://app.example.com", "the scheme is not one"),
            ("7z://app.example.com", "the scheme is not one"),
            ("+a://app.example.com", "the scheme is not one"),
            ("my_app://app.example.com", "the scheme is not one"),
            ("https://app.example.com/", "take away the slash"),
            ("https://app.example.com?", "take away the slash"),
            ("https://app.example.com#", "take away the slash"),
            ("https://u@a.example.com", "take away the slash"),
            ("https://app.example.com:443", "leave the default port out"),
            ("http://app.example.com:80", "leave the default port out"),
            ("https://a*.*b.example.com", "one * is taken"),
            ("https://*", "a label before the domain"),
            ("https://*.com", "a label before the domain"),
            ("https://a.*.com", "a label before the domain"),
            ("https://a.example.*", "a label before the domain"),
            ("https://a.example.com:*", "a label before the domain"),
            ("https://", "the host or the port is not one"),
            ("https://a..b", "the host or the port is not one"),
            ("https://app.example.com:0", "the host or the port is not one"),
            ("https://-*.example.com", "the host or the port is not one"),
        ] {
            match OriginPattern::parse(bad).expect_err(bad) {
                PolicyError::Origin { given, wrong } => {
                    assert_eq!(given, bad);
                    assert!(wrong.contains(change), "{bad}: {wrong}");
                }
                other => panic!("{bad}: {other}"),
            }
        }
        for good in [
            "http://localhost:3000",
            "https://app.example.com",
            "https://app.example.com:80",
            "http://app.example.com:443",
            "https://*.example.com",
            "https://*.example.com:8443",
            "https://a.*.example.com",
            "http://127.0.0.1:5173",
            "chrome-extension://abcdefghijklmnop",
            "web+app.v2://app.example.com",
        ] {
            assert!(OriginPattern::parse(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn parties_are_named_or_asked_for_in_words() {
        assert_eq!(AuthorizedParties::parse([]), Err(PolicyError::NoParty));
        assert_eq!(AuthorizedParties::parse(["any party"]), Ok(AuthorizedParties::AnyParty));
        assert!(AuthorizedParties::parse(["any party", "https://a.example.com"]).is_err());
        assert!(AuthorizedParties::parse([""]).is_err());
        assert!(AuthorizedParties::AnyParty.include("https://evil.example"));
        let two = AuthorizedParties::parse(["https://a.example.com", "https://b-*.example.com"]).unwrap();
        assert!(two.include("https://a.example.com") && two.include("https://b-1.example.com"));
        assert!(!two.include("https://c.example.com"));
    }

    fn policy() -> Policy {
        let issuer = Issuer::parse("https://clerk.example.com").unwrap();
        Policy::new(issuer, AuthorizedParties::parse(["https://a.example.com"]).unwrap(), MissingAzp::Refuse)
    }

    #[test]
    fn a_policy_says_what_it_was_made_of() {
        let policy = policy().with_issuer_aliases([Issuer::parse("https://a.example.com/__clerk").unwrap()]);
        assert_eq!(policy.issuer().as_str(), "https://clerk.example.com");
        assert!(policy.authorized_parties().include("https://a.example.com"));
        assert!(!policy.authorized_parties().include("https://b.example.com"));
        assert_eq!(policy.clock_skew(), DEFAULT_CLOCK_SKEW);
    }

    #[test]
    fn a_clock_skew_is_a_minute_at_most() {
        for skew in [Duration::ZERO, Duration::from_secs(60)] {
            assert_eq!(policy().with_clock_skew(skew).unwrap().clock_skew(), skew);
        }
        for skew in [Duration::from_secs(60) + Duration::from_nanos(1), Duration::MAX] {
            assert_eq!(policy().with_clock_skew(skew).unwrap_err(), PolicyError::ClockSkew(skew));
        }
    }

    #[test]
    fn what_is_empty_asks_for_nothing_and_is_refused() {
        for nothing in ["", " ", "\t\n"] {
            assert_eq!(policy().with_template_audience(nothing).unwrap_err(), PolicyError::NoAudience);
        }
        assert_eq!(policy().with_algorithms([]).unwrap_err(), PolicyError::NoAlgorithm);
    }

    #[test]
    fn the_denied_keys_are_those_that_were_named() {
        let kid = |name| KeyId::parse(name).unwrap();
        let policy = policy().with_denied_kids([kid("ins_1")]).with_denied_kids([kid("ins_2")]);
        assert!(policy.denies(&kid("ins_1")) && policy.denies(&kid("ins_2")));
        assert!(!policy.denies(&kid("ins_3")));
    }
}
