//! Settings: where they come from, what is refused, and what is in force.

use std::fs;

use doorward::config::{Config, InForce, SETTINGS, Settings, Source, StoreKind};
use doorward_verifier::{AuthorizedParties, MissingAzp};
use tests::base64_padded;

fn publishable(kind: &str, host: &str) -> String {
    format!("pk_{kind}_{}", base64_padded(format!("{host}$").as_bytes()))
}

fn settings(pairs: &[(&str, &str)]) -> Settings {
    Settings::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())), [])
}

/// A development instance, and these settings.
fn read(pairs: &[(&str, &str)]) -> Result<Config, String> {
    let key = publishable("test", "calm-fox-1.clerk.accounts.dev");
    let mut all = vec![("CLERK_PUBLISHABLE_KEY", key.as_str())];
    all.extend(pairs);
    Config::read(&settings(&all)).map_err(|mistakes| mistakes.to_string())
}

/// A production instance with MongoDB, and these settings.
fn read_live(pairs: &[(&str, &str)]) -> Result<Config, String> {
    let key = publishable("live", "clerk.example.com");
    let mut all = vec![
        ("CLERK_PUBLISHABLE_KEY", key.as_str()),
        ("CLERK_SECRET_KEY", "sk_live_x"),
        ("MONGODB_URI", "mongodb://db/"),
        ("CORS_ORIGINS", "https://app.example.com"),
    ];
    all.extend(pairs);
    Config::read(&settings(&all)).map_err(|mistakes| mistakes.to_string())
}

#[test]
fn a_publishable_key_alone_is_enough() {
    let config = read(&[]).unwrap();
    assert_eq!(config.clerk.issuer.as_str(), "https://calm-fox-1.clerk.accounts.dev");
    assert_eq!((config.http.host.as_str(), config.http.port), ("127.0.0.1", 8000));
    assert_eq!(config.storage.store, StoreKind::Embedded);
    assert_eq!(config.storage.data_dir.to_str(), Some("./.doorward"));
    assert_eq!(config.storage.database, "user_management_db");
    assert_eq!((config.storage.stale_for.as_secs(), config.storage.keys_hard_age.as_secs()), (3600, 86_400));
    assert_eq!(config.tokens.missing_azp, MissingAzp::Refuse);
    assert!(!config.production && !config.debug_fallback && !config.http.cookie_auth);
    assert_eq!(config.http.cors_origins.len(), 8);
    let AuthorizedParties::Only(parties) = config.tokens.authorized_parties else {
        panic!("the CORS origins")
    };
    assert_eq!(parties.len(), 8);
    assert_eq!(config.log.filter, "info,mongodb=warn");
}

#[test]
fn without_an_issuer_there_is_no_server() {
    let mistakes = Config::read(&settings(&[])).unwrap_err().to_string();
    assert!(mistakes.contains("CLERK_PUBLISHABLE_KEY: expected the publishable key"), "{mistakes}");
    for pair in [
        ("NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY", publishable("test", "a.clerk.accounts.dev")),
        ("CLERK_FRONTEND_API", "a.clerk.accounts.dev".to_owned()),
        ("CLERK_FRONTEND_API", "https://a.clerk.accounts.dev/".to_owned()),
        ("CLERK_ISSUER", "https://a.clerk.accounts.dev".to_owned()),
    ] {
        let config = Config::read(&settings(&[(pair.0, &pair.1)])).unwrap();
        assert_eq!(config.clerk.issuer.as_str(), "https://a.clerk.accounts.dev", "{pair:?}");
    }
}

#[test]
fn every_mistake_is_in_one_message_with_what_to_change() {
    let mistakes = read(&[
        ("CLERK_SECRET_KEY", "pk_test_abc"),
        ("CLERK_FRONTEND_API", "other.clerk.accounts.dev"),
        ("CLERK_ISSUER", "https://third.clerk.accounts.dev"),
        ("CLERK_JWKS_URL", "http://keys.example.com"),
        ("CLERK_JWT_KEY", "nonsense!"),
        ("CLERK_WEBHOOK_SIGNING_SECRET", "whsec_short"),
        ("AUTHORIZED_PARTIES", "app.example.com"),
        ("MISSING_AZP", "maybe"),
        ("MONGODB_URI", "postgres://db"),
        ("STORE", "redis"),
        ("CHANGE_STREAMS", "on"),
        ("STORE_STALE_SECS", "-1"),
        ("JWKS_HARD_AGE_SECS", "86401"),
        ("HOST", "api.example.com"),
        ("PORT", "80000"),
        ("CORS_ORIGINS", "[\"https://a.example\""),
        ("CORS_EXTRA_ORIGINS", "https://b.example/"),
        ("ENVIRONMENT", "staging"),
        ("DEBUG", "yes"),
        ("COOKIE_AUTH", "true"),
        ("TRUSTED_PROXIES", "10.0.0.0/33"),
        ("METRICS_LISTEN", "9090"),
        ("LOG_FORMAT", "xml"),
        ("RUST_LOG", "a=b=c"),
        ("LOG_USER_ID", "none"),
        ("ALLOW", "everything"),
    ])
    .unwrap_err();
    for name in [
        "CLERK_SECRET_KEY",
        "CLERK_FRONTEND_API",
        "CLERK_ISSUER",
        "CLERK_JWKS_URL",
        "CLERK_JWT_KEY",
        "CLERK_WEBHOOK_SIGNING_SECRET",
        "AUTHORIZED_PARTIES",
        "MISSING_AZP",
        "MONGODB_URI",
        "STORE",
        "CHANGE_STREAMS",
        "STORE_STALE_SECS",
        "JWKS_HARD_AGE_SECS",
        "HOST",
        "PORT",
        "CORS_ORIGINS",
        "CORS_EXTRA_ORIGINS",
        "ENVIRONMENT",
        "DEBUG",
        "COOKIE_AUTH",
        "TRUSTED_PROXIES",
        "METRICS_LISTEN",
        "LOG_FORMAT",
        "RUST_LOG",
        "LOG_USER_ID",
        "ALLOW",
    ] {
        let line = mistakes.lines().find(|line| line.trim_start().starts_with(&format!("{name}: ")));
        let line = line.unwrap_or_else(|| panic!("{name} is not in {mistakes}"));
        assert!(line.len() > 30, "{line}");
    }
    assert!(mistakes.starts_with("26 mistakes in the settings:"), "{mistakes}");
}

#[test]
fn what_contradicts_is_refused() {
    let refused = |pairs: &[(&str, &str)], setting: &str| {
        let mistakes = read(pairs).unwrap_err();
        assert!(mistakes.contains(&format!("  {setting}: ")), "{mistakes}");
    };
    refused(
        &[("CORS_ORIGINS", "https://a.example"), ("BACKEND_CORS_ORIGINS", "https://b.example")],
        "CORS_ORIGINS",
    );
    refused(&[("MONGODB_URI", "mongodb://a/"), ("MONGODB_URL", "mongodb://b/")], "MONGODB_URI");
    refused(&[("STORE", "mongodb")], "MONGODB_URI");
    refused(&[("CLERK_FRONTEND_API", "clerk.example.com")], "CLERK_FRONTEND_API");
    assert!(read(&[("MONGODB_URI", "mongodb://a/"), ("MONGODB_URL", "mongodb://a/")]).is_ok());
    assert!(read(&[("CLERK_FRONTEND_API", "https://calm-fox-1.clerk.accounts.dev")]).is_ok());
}

#[test]
fn an_empty_value_is_an_unset_one_and_a_carriage_return_is_no_part_of_any() {
    let config =
        read(&[("PORT", ""), ("HOST", "  "), ("STORE", "embedded\r"), ("MISSING_AZP", "allow\r\n")]).unwrap();
    assert_eq!((config.http.port, config.http.host.as_str()), (8000, "127.0.0.1"));
    assert_eq!(config.tokens.missing_azp, MissingAzp::Allow);
}

#[test]
fn the_environment_comes_before_the_file() {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let settings = Settings::new(
        [pair("PORT", "1"), pair("HOST", "")],
        [pair("PORT", "2"), pair("HOST", "::1"), pair("CLERK_ISSUER", "https://clerk.example.com")],
    );
    let config = Config::read(&settings).unwrap();
    assert_eq!((config.http.port, config.http.host.as_str()), (1, "::1"));
    assert_eq!(settings.get("PORT").unwrap().source, Source::Environment);
    assert_eq!(settings.get("HOST").unwrap().source, Source::Dotenv);
}

#[test]
fn a_dotenv_file_is_read_and_a_broken_one_is_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(".env"), "# mine\r\nexport CORS_EXTRA_ORIGINS=\"https://a.example\"\r\n")
        .unwrap();
    let settings = Settings::load(folder.path()).unwrap();
    assert_eq!(settings.get("CORS_EXTRA_ORIGINS").unwrap().value, "https://a.example");
    fs::write(folder.path().join(".env"), "A=1\nwhat is this\nB C=2\n").unwrap();
    let mistakes = Settings::load(folder.path()).err().unwrap();
    assert_eq!(
        mistakes.to_string(),
        "2 mistakes in the settings:\n  \
         .env, line 2: expected NAME=value, a comment or an empty line, got a line without =: put it right, or take it out\n  \
         .env, line 3: expected NAME=value, a comment or an empty line, got a name with something else than letters, \
         digits and _: put it right, or take it out"
    );
}

#[test]
fn a_secret_may_be_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    fs::write(&file, "sk_test_from_a_file\n").unwrap();
    let path = file.to_str().unwrap();
    let config = read(&[("CLERK_SECRET_KEY_FILE", path)]).unwrap();
    assert_eq!(config.clerk.secret_key.unwrap().expose(), "sk_test_from_a_file");
    let both = read(&[("CLERK_SECRET_KEY_FILE", path), ("CLERK_SECRET_KEY", "sk_test_x")]).unwrap_err();
    assert!(both.contains("CLERK_SECRET_KEY"), "{both}");
    let missing = read(&[("MONGODB_URI_FILE", "/nowhere/at/all")]).unwrap_err();
    assert!(missing.contains("MONGODB_URI_FILE: expected a file that can be read"), "{missing}");
}

#[test]
fn lists_are_written_with_commas_or_as_json() {
    for text in ["https://a.example, https://b.example,", r#"["https://a.example", "https://b.example"]"#] {
        let config = read_live(&[("AUTHORIZED_PARTIES", text)]).unwrap();
        let AuthorizedParties::Only(parties) = config.tokens.authorized_parties else { panic!("a list") };
        assert_eq!(
            parties.iter().map(|party| party.as_str()).collect::<Vec<_>>(),
            ["https://a.example", "https://b.example"]
        );
    }
    let any = read(&[("AUTHORIZED_PARTIES", "any party")]).unwrap();
    assert_eq!(any.tokens.authorized_parties, AuthorizedParties::AnyParty);
    let proxies =
        read(&[("TRUSTED_PROXIES", "private, 203.0.113.7, 2001:db8::/32")]).unwrap().http.trusted_proxies;
    assert_eq!(proxies.len(), 10);
}

#[test]
fn production_wants_live_keys_exact_origins_and_a_store_that_lasts() {
    assert!(read_live(&[]).unwrap().production);
    let refused = |read: Result<Config, String>, words: &str| {
        let mistakes = read.unwrap_err();
        assert!(mistakes.contains(words), "{words} is not in {mistakes}");
    };
    refused(
        read(&[("ENVIRONMENT", "production"), ("CORS_ORIGINS", "https://a.example")]),
        r#"ALLOW="test keys in production""#,
    );
    refused(read_live(&[("CLERK_SECRET_KEY", "sk_test_x")]), r#"ALLOW="live and test keys together""#);
    assert!(
        read_live(&[("CLERK_SECRET_KEY", "sk_test_x"), ("ALLOW", "live and test keys together")]).is_ok()
    );
    refused(read_live(&[("MONGODB_URI", "")]), "STORE=embedded");
    refused(read_live(&[("DEBUG", "true")]), "DEBUG: expected false in production");
    for origin in
        ["http://app.example.com", "https://localhost:3000", "https://127.0.0.1", "https://[::1]:3000"]
    {
        refused(read_live(&[("CORS_ORIGINS", origin)]), "exact origins without http: and localhost");
        refused(read_live(&[("AUTHORIZED_PARTIES", origin)]), "exact origins without http: and localhost");
    }
    refused(read_live(&[("AUTHORIZED_PARTIES", "https://app-*.example.com")]), "exact origins");
    refused(read_live(&[("CORS_ORIGINS", "")]), "AUTHORIZED_PARTIES: expected the frontend's origins");
    assert_eq!(read_live(&[]).unwrap().http.cors_origins, ["https://app.example.com"]);
}

#[test]
#[cfg(target_os = "linux")]
fn the_embedded_store_is_not_put_where_it_would_not_last() {
    let embedded = [("MONGODB_URI", ""), ("STORE", "embedded"), ("DATA_DIR", "/dev/shm/doorward")];
    let mistakes = read_live(&embedded).unwrap_err();
    assert!(mistakes.contains("/dev/shm/doorward on tmpfs"), "{mistakes}");
    let allowed = [&embedded[..], &[("ALLOW", "data that is lost with the container")]].concat();
    assert!(read_live(&allowed).is_ok());
}

#[test]
fn what_is_in_force_names_every_setting_and_no_secret() {
    let key = publishable("test", "calm-fox-1.clerk.accounts.dev");
    let settings = settings(&[
        ("CLERK_PUBLISHABLE_KEY", &key),
        ("CLERK_SECRET_KEY", "sk_test_canary"),
        ("MONGODB_URI", "mongodb://user:canary@db/"),
        ("CLERK_WEBHOOK_SIGNING_SECRET", "whsec_Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5"),
        ("CORS_EXTRA_ORIGINS", "https://b.example"),
    ]);
    let config = Config::read(&settings).unwrap();
    let in_force = InForce::new(&config, &settings);
    let (text, json) = (in_force.to_string(), serde_json::to_string(&in_force).unwrap());
    for setting in SETTINGS {
        assert!(
            text.contains(&format!("{}=", setting.name))
                || text.contains(&format!("{} is not set", setting.name))
        );
        assert!(json.contains(&format!("\"{}\"", setting.name)));
    }
    for line in [
        "CLERK_SECRET_KEY=sk_test_…  (environment)",
        "MONGODB_URI=mongodb://…  (environment)",
        "PORT=8000  (default)",
    ] {
        assert!(text.contains(line), "{text}");
    }
    for secret in ["canary", "Y2FuYXJ5"] {
        assert!(!text.contains(secret) && !json.contains(secret) && !format!("{config:?}").contains(secret));
    }
}

#[test]
fn what_may_be_meant_is_said_at_the_start() {
    let says = |config: Config, words: &str| config.warnings().iter().any(|warning| warning.contains(words));
    assert!(says(read(&[]).unwrap(), "Using test Clerk keys"));
    assert!(!says(read_live(&[]).unwrap(), "Using test Clerk keys"));
    assert!(says(read(&[]).unwrap(), "CLERK_SECRET_KEY is not set"));
    assert!(says(read_live(&[]).unwrap(), "TRUSTED_PROXIES"));
    assert!(!says(read_live(&[("TRUSTED_PROXIES", "private")]).unwrap(), "TRUSTED_PROXIES"));
    assert!(says(read_live(&[("AUTHORIZED_PARTIES", "any party")]).unwrap(), "any party"));
}
