//! Native TLS: HTTP/1 and HTTP/2, and certificates that are replaced while the server runs.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, KeyPair};
use reqwest::{Certificate, Client, Version};
use tempfile::TempDir;
use tests::issuer::TestIssuer;
use tests::server::{Answer, TestServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const ME: &str = "/api/auth/me";

/// A server with a certificate of its own, and how to reach it.
struct Secure {
    issuer: TestIssuer,
    server: TestServer,
    folder: TempDir,
}

/// Writes a new pair, and gives the certificate for clients to trust.
fn renew(folder: &Path, age: Duration) -> Certificate {
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    for (name, pem) in [("certificate.pem", certificate.pem()), ("key.pem", key.serialize_pem())] {
        fs::write(folder.join(name), pem).unwrap();
        let file = fs::File::options().write(true).open(folder.join(name)).unwrap();
        // File times may be coarse: two pairs in one test are not of one time.
        file.set_modified(SystemTime::now() - age).unwrap();
    }
    Certificate::from_pem(certificate.pem().as_bytes()).unwrap()
}

fn trusting(certificate: &Certificate) -> Client {
    Client::builder().no_proxy().tls_certs_only([certificate.clone()]).build().unwrap()
}

impl Secure {
    async fn start(more: &[(&str, &str)]) -> (Secure, Certificate) {
        let (issuer, folder) = (TestIssuer::start().await, tempfile::tempdir().unwrap());
        let certificate = renew(folder.path(), Duration::from_secs(60));
        let path = |name: &str| folder.path().join(name).display().to_string();
        let (file, key) = (path("certificate.pem"), path("key.pem"));
        let settings = [&[("TLS_CERTIFICATE", file.as_str()), ("TLS_PRIVATE_KEY", &key)], more].concat();
        let server = TestServer::start(&issuer, &settings).await;
        (Secure { issuer, server, folder }, certificate)
    }

    fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.server.url.rsplit(':').next().unwrap())
    }

    async fn get(&self, client: &Client, path: &str) -> reqwest::Result<reqwest::Response> {
        client.get(self.url(path)).bearer_auth(self.issuer.token()).send().await
    }
}

#[tokio::test]
async fn both_versions_of_http_are_spoken() {
    let (secure, certificate) = Secure::start(&[]).await;
    let http1 =
        Client::builder().no_proxy().tls_certs_only([certificate.clone()]).http1_only().build().unwrap();
    for (client, version) in [(trusting(&certificate), Version::HTTP_2), (http1, Version::HTTP_11)] {
        let answer = secure.get(&client, ME).await.unwrap();
        assert_eq!(answer.version(), version);
        let answer = Answer::of(answer).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("strict-transport-security"), "max-age=31536000; includeSubDomains");
    }
}

#[tokio::test]
async fn production_needs_no_proxy_with_it() {
    let production = [
        ("ENVIRONMENT", "production"),
        ("ALLOW", "test keys in production, data that is lost with the container"),
        ("CORS_ORIGINS", "https://app.example.com"),
        ("AUTHORIZED_PARTIES", "any party"),
    ];
    let (secure, certificate) = Secure::start(&production).await;
    assert_eq!(secure.get(&trusting(&certificate), ME).await.unwrap().status(), 200);
    assert!(secure.server.app.config.warnings().iter().all(|warning| !warning.contains("TRUSTED_PROXIES")));
}

#[tokio::test]
async fn plain_http_gets_no_answer() {
    let (secure, _) = Secure::start(&[]).await;
    let mut stream = TcpStream::connect(secure.server.url.trim_start_matches("http://")).await.unwrap();
    stream.write_all(b"GET /health HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!String::from_utf8_lossy(&answer).contains("HTTP/1.1"), "{answer:?}");
}

#[tokio::test]
async fn a_certificate_that_is_replaced_is_taken_up_and_a_useless_one_is_not() {
    let (secure, old) = Secure::start(&[]).await;
    let tls = secure.server.app.tls.clone().unwrap();
    let new = renew(secure.folder.path(), Duration::from_secs(30));
    assert!(secure.get(&trusting(&new), "/health").await.is_err(), "not yet");
    tls.look();
    assert_eq!(secure.get(&trusting(&new), "/health").await.unwrap().status(), 200);
    assert!(secure.get(&trusting(&old), "/health").await.is_err());
    fs::write(secure.folder.path().join("certificate.pem"), "nonsense").unwrap();
    tls.look();
    assert_eq!(secure.get(&trusting(&new), "/health").await.unwrap().status(), 200);
    let newest = renew(secure.folder.path(), Duration::from_secs(15));
    tls.look();
    assert_eq!(secure.get(&trusting(&newest), "/health").await.unwrap().status(), 200);
}

#[tokio::test]
async fn large_headers_and_bodies_are_refused_over_http_2_as_well() {
    let (secure, certificate) = Secure::start(&[]).await;
    let client = trusting(&certificate);
    let request = client.get(secure.url("/health")).header("cookie", "a".repeat(41 * 1024));
    let refused = Answer::of(request.send().await.unwrap()).await;
    assert_eq!((refused.status, refused.code().as_str()), (431, "headers-too-large"));
    let request = client.patch(secure.url(ME)).bearer_auth(secure.issuer.token());
    let request = request.header("content-type", "application/json").body(vec![b' '; 65 * 1024]);
    let refused = Answer::of(request.send().await.unwrap()).await;
    assert_eq!((refused.status, refused.code().as_str()), (413, "body-too-large"));
}

#[tokio::test]
async fn files_that_are_of_no_use_are_named() {
    let folder = tempfile::tempdir().unwrap();
    renew(folder.path(), Duration::ZERO);
    let (file, key) = (folder.path().join("certificate.pem"), folder.path().join("key.pem"));
    let open = |certificate: &Path, private_key: &Path| {
        let files = doorward::tls::TlsFiles {
            certificate: certificate.to_owned(),
            private_key: private_key.to_owned(),
        };
        doorward::tls::Tls::open(files).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(open(&file, &key), Ok(()));
    assert!(open(&folder.path().join("none.pem"), &key).unwrap_err().contains("none.pem"));
    assert!(open(&key, &key).unwrap_err().contains("key.pem"));
    assert!(open(&file, &file).unwrap_err().contains("certificate.pem"));
    let old = fs::read(&key).unwrap();
    renew(folder.path(), Duration::ZERO);
    fs::write(&key, old).unwrap();
    assert!(open(&file, &key).unwrap_err().starts_with("certificate and private key: "));
}
