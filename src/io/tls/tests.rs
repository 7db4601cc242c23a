//! Certificates at start and at reload, and whom we believe.
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

const NOW: UtcTime = UtcTime::from_secs(1_780_000_000);
const SOON: Duration = Duration::from_secs(10);

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("hotline-tls-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
    fn own(&self) -> OwnCertificate {
        OwnCertificate { chain: self.0.join("c.pem"), key: self.0.join("k.pem") }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

fn only_own(own: OwnCertificate) -> TlsSettings {
    TlsSettings { own: Some(own), authority: None, pins: Vec::new(), check_every: Duration::from_secs(10) }
}

fn made(years: (i32, i32)) -> (String, String) {
    let mut params = CertificateParams::new(vec!["sip.example".to_owned()]).unwrap();
    (params.not_before, params.not_after) = (date_time_ymd(years.0, 1, 1), date_time_ymd(years.1, 1, 1));
    let key = KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn refused(own: OwnCertificate) -> String {
    Tls::open(&only_own(own), NOW).unwrap_err().to_string()
}

#[test]
fn what_is_wrong_with_a_certificate_is_told_with_its_file() {
    let folder = Folder::new("wrong");
    let (good, key) = made((2020, 2035));
    let (old, old_key) = made((2010, 2020));
    let (next, next_key) = made((2030, 2035));
    let place = folder.own();
    assert!(refused(place.clone()).contains("c.pem: No such file"));
    folder.write("c.pem", &good);
    assert!(refused(place.clone()).contains("k.pem: No such file"));
    folder.write("k.pem", "nothing");
    assert!(refused(place.clone()).contains("k.pem holds no private key"));
    folder.write("k.pem", &old_key);
    assert!(refused(place.clone()).contains("does not belong to the certificate"));
    folder.write("c.pem", &old);
    assert!(refused(place.clone()).contains("expired 2340 day(s) ago"), "{}", refused(place));
    let place = folder.own();
    folder.write("c.pem", &next);
    folder.write("k.pem", &next_key);
    assert!(refused(place.clone()).contains("valid in"));
    folder.write("c.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    assert!(refused(place.clone()).contains("validity cannot be read"));
    folder.write("c.pem", &good);
    folder.write("k.pem", &key);
    let tls = Tls::open(&only_own(place), NOW).unwrap();
    assert_eq!(tls.figures().ends_s.load(Ordering::Relaxed), 2_051_222_400);
}

#[test]
fn a_bad_new_file_keeps_the_old_certificate_and_a_good_one_takes_its_place() {
    let folder = Folder::new("reload");
    let (first, key) = made((2020, 2035));
    folder.write("c.pem", &first);
    folder.write("k.pem", &key);
    let tls = Tls::open(&only_own(folder.own()), NOW).unwrap();
    let shown = || tls.own.as_ref().unwrap().shown.now().cert[0].clone();
    let before = shown();
    assert_eq!(tls.look(NOW, true).unwrap(), Look::Same);
    folder.write("c.pem", "half a fi");
    assert!(tls.look(NOW, true).is_err());
    assert_eq!(shown(), before);
    let (second, key) = made((2021, 2036));
    folder.write("c.pem", &second);
    assert!(tls.look(NOW, true).is_err(), "the key is still the old one");
    assert_eq!(shown(), before);
    folder.write("k.pem", &key);
    assert_eq!(tls.look(NOW, true).unwrap(), Look::New);
    assert_ne!(shown(), before);
}

/// What a client with these settings gets from a server that shows `folder`'s certificate under `name`.
async fn tries(server: &Tls, client: &Tls, name: &str) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let at = listener.local_addr()?;
    let answer = async {
        let (stream, _) = listener.accept().await?;
        let mut stream = server.accept(stream, SOON).await?;
        stream.write_all(b"hello").await?;
        stream.flush().await
    };
    let question = async {
        let mut stream = client.connect(TcpStream::connect(at).await?, name, SOON).await?;
        let mut heard = [0; 5];
        stream.read_exact(&mut heard).await.map(drop)
    };
    let (answered, asked) = tokio::join!(answer, question);
    asked.and(answered)
}

fn client(authority: Option<&Path>, pins: Vec<Pin>) -> Tls {
    let authority = authority.map(Path::to_path_buf);
    let settings = TlsSettings { own: None, authority, pins, check_every: SOON };
    Tls::open(&settings, NOW).unwrap()
}

#[tokio::test]
async fn a_peer_is_believed_by_authority_and_name_or_by_its_pin_and_in_no_other_case() {
    let folder = Folder::new("peer");
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let roots = folder.write("roots.pem", &authority.pem());
    let key = KeyPair::generate().unwrap();
    let names = vec!["sip.example".to_owned(), "127.0.0.1".to_owned()];
    let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &authority).unwrap();
    folder.write("c.pem", &certificate.pem());
    folder.write("k.pem", &key.serialize_pem());
    let server = Tls::open(&only_own(folder.own()), NOW).unwrap();

    let believes = client(Some(&roots), Vec::new());
    tries(&server, &believes, "sip.example").await.unwrap();
    tries(&server, &believes, "127.0.0.1").await.unwrap();
    for wrong in ["other.example", "127.0.0.2"] {
        let e = tries(&server, &believes, wrong).await.unwrap_err().to_string();
        assert!(e.contains("not valid for name"), "{e}");
    }
    let (stranger, _) = made((2020, 2035));
    let others = folder.write("others.pem", &stranger);
    assert!(tries(&server, &client(Some(&others), Vec::new()), "sip.example").await.is_err());
    let e = tries(&server, &client(None, Vec::new()), "sip.example").await.unwrap_err().to_string();
    assert!(e.contains("whom to believe"), "{e}");

    let output = std::process::Command::new("openssl")
        .args(["x509", "-noout", "-fingerprint", "-sha256", "-in"])
        .arg(folder.0.join("c.pem"))
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let pin: Pin = printed.trim().split_once('=').unwrap().1.parse().unwrap();
    tries(&server, &client(None, vec![pin]), "any.example").await.unwrap();
    let other: Pin = format!("sha256:{}", "ab".repeat(32)).parse().unwrap();
    assert!(tries(&server, &client(None, vec![other]), "sip.example").await.is_err());
    assert!("sha256:abc".parse::<Pin>().is_err() && "zz".repeat(32).parse::<Pin>().is_err());
}
