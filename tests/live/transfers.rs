//! Transfers by phones that are not ours: baresip's blind one, and an attended one by a phone written by hand, whose two
//! calls with us become one between the others. Who hears whom is measured.
use std::collections::VecDeque;
use std::net::SocketAddr;

use hotline::replay::Voice;
use hotline::sip::{Account, DigestAlgorithm};
use tokio::net::UdpSocket;
use tokio::time::timeout;

use crate::baresip_peer::Baresip;
use crate::cast::{
    AGENT_HZ, CALLER_HZ, MERCHANT_HZ, OTHER_AGENT_HZ, answer, no_wrap_up, only, over, phone, rings,
};
use crate::house::{House, SOON, runtime};

#[test]
fn baresip_transfers_its_caller_to_a_third_party() {
    for transport in ["udp", "tcp"] {
        let rt = runtime();
        let mut merchant = rt.block_on(phone("7001", "127.0.0.1:9".parse().unwrap(), MERCHANT_HZ));
        let trunk = format!("[trunks.merchants]\naddress = \"{}\"\n", merchant.address);
        let house = House::open_with(&trunk, no_wrap_up);
        rt.block_on(async {
            let password = house.password("8001");
            let mut baresip = Baresip::start(&house, "8001", Some(&password), transport, AGENT_HZ).await;
            baresip.sign_in().await;
            let mut caller = house.caller("13800138000", "95188", Voice::Tone(CALLER_HZ)).await;
            caller.press("13").await.unwrap();
            baresip.wait("CALL_ESTABLISHED").await;
            only("the caller", &caller, &[AGENT_HZ]).await;
            baresip.transfer(&format!("sip:7001@{}", house.sip)).await;
            rings(&mut merchant).await;
            answer(&mut merchant).await;
            baresip.wait("CALL_CLOSED").await;
            tokio::join!(
                only("the caller", &caller, &[MERCHANT_HZ]),
                only("the merchant", &merchant, &[CALLER_HZ]),
            );
            merchant.hang_up().await.unwrap();
            over(&mut caller).await;
        });
    }
}

/// A phone by hand: it signals and is silent.
struct Desk {
    socket: UdpSocket,
    at: SocketAddr,
    server: SocketAddr,
    user: &'static str,
    password: String,
    number: u32,
    waiting: VecDeque<String>,
}

/// One call of it: our tag, theirs.
#[derive(Clone)]
struct Dialog {
    call_id: String,
    ours: String,
    theirs: String,
    peer: String,
}

fn field<'a>(text: &'a str, name: &str) -> &'a str {
    let found = text.lines().find_map(|l| l.split_once(": ").filter(|(n, _)| n.eq_ignore_ascii_case(name)));
    found.map_or("", |(_, value)| value.trim())
}

fn tag(value: &str) -> String {
    value.split(";tag=").nth(1).unwrap_or("").split(';').next().unwrap().to_owned()
}

impl Desk {
    async fn open(house: &House, user: &'static str) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.connect(house.sip).await.unwrap();
        let (at, server) = (socket.local_addr().unwrap(), house.sip);
        let password = house.password(user);
        Self { socket, at, server, user, password, number: 0, waiting: VecDeque::new() }
    }

    /// The next message that fits; others wait. Requests that only want a 200 get it.
    async fn message(&mut self, fits: impl Fn(&str) -> bool) -> String {
        if let Some(at) = self.waiting.iter().position(|m| fits(m)) {
            return self.waiting.remove(at).unwrap();
        }
        loop {
            let mut buffer = [0; 8_192];
            let read = timeout(SOON, self.socket.recv(&mut buffer)).await;
            let n = read.unwrap_or_else(|_| panic!("nothing came; waiting: {:#?}", self.waiting)).unwrap();
            let text = String::from_utf8_lossy(&buffer[..n]).into_owned();
            if ["NOTIFY ", "BYE ", "OPTIONS "].iter().any(|method| text.starts_with(method)) {
                self.respond(&text, "200 OK", "").await;
            }
            if fits(&text) {
                return text;
            }
            self.waiting.push_back(text);
        }
    }

    async fn final_answer(&mut self) -> String {
        let cseq = format!("{} ", self.number);
        self.message(|m| {
            m.starts_with("SIP/2.0 ") && !m.starts_with("SIP/2.0 1") && field(m, "CSeq").starts_with(&cseq)
        })
        .await
    }

    fn sdp() -> &'static str {
        "v=0\r\no=hand 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8\r\n"
    }

    async fn respond(&self, request: &str, status: &str, body: &str) {
        let to = field(request, "To");
        let to = if to.contains(";tag=") { to.to_owned() } else { format!("{to};tag=desk") };
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let text = format!(
            "SIP/2.0 {status}\r\nVia: {}\r\nFrom: {}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {}\r\nContact: \
             <sip:{}@{}>\r\n{kind}Content-Length: {}\r\n\r\n{body}",
            field(request, "Via"),
            field(request, "From"),
            field(request, "Call-ID"),
            field(request, "CSeq"),
            self.user,
            self.at,
            body.len()
        );
        self.socket.send(text.as_bytes()).await.unwrap();
    }

    #[expect(clippy::too_many_arguments, reason = "a message has these parts")]
    async fn send(&mut self, method: &str, uri: &str, dialog: &Dialog, more: &str, body: &str) {
        if method != "ACK" {
            self.number += 1;
        }
        let theirs = if dialog.theirs.is_empty() { String::new() } else { format!(";tag={}", dialog.theirs) };
        let text = format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {0};branch=z9hG4bK{1}{method}\r\nMax-Forwards: 70\r\nFrom: \
             <sip:{2}@{3}>;tag={4}\r\nTo: <{5}>{theirs}\r\nCall-ID: {6}\r\nCSeq: {1} {method}\r\nContact: \
             <sip:{2}@{0}>\r\n{more}Content-Length: {7}\r\n\r\n{body}",
            self.at,
            self.number,
            self.user,
            self.server,
            dialog.ours,
            dialog.peer,
            dialog.call_id,
            body.len()
        );
        self.socket.send(text.as_bytes()).await.unwrap();
    }

    /// A request that is challenged once; its answer.
    #[expect(clippy::too_many_arguments, reason = "a message has these parts")]
    async fn proved(&mut self, method: &str, uri: &str, dialog: &Dialog, more: &str, body: &str) -> String {
        self.send(method, uri, dialog, more, body).await;
        let challenge = self.final_answer().await;
        assert!(challenge.starts_with("SIP/2.0 401"), "{challenge}");
        if method == "INVITE" {
            let refused = Dialog { theirs: tag(field(&challenge, "To")), ..dialog.clone() };
            self.send("ACK", uri, &refused, "", "").await;
        }
        let proof = self.proof(field(&challenge, "WWW-Authenticate"), method, uri);
        self.send(method, uri, dialog, &format!("Authorization: {proof}\r\n{more}"), body).await;
        self.final_answer().await
    }

    /// RFC 7616, MD5.
    fn proof(&self, challenge: &str, method: &str, uri: &str) -> String {
        let text = |name: &str| {
            challenge.split(&format!("{name}=\"")).nth(1).unwrap().split('"').next().unwrap().to_owned()
        };
        let (realm, nonce) = (text("realm"), text("nonce"));
        // H(a:b:c) is what an account stores, so it hashes for us.
        let hash = |a: &str, b: &str, c: &str| {
            Account::from_password(a, b, c).ha1(DigestAlgorithm::Md5).unwrap().to_owned()
        };
        let (scheme, rest) = uri.split_once(':').unwrap();
        let ha2 = hash(method, scheme, rest);
        let ha1 = hash(self.user, &realm, &self.password);
        let response = hash(&ha1, &nonce, &format!("00000001:cn:auth:{ha2}"));
        format!(
            "Digest username=\"{}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", response=\"{response}\", \
             algorithm=MD5, cnonce=\"cn\", qop=auth, nc=00000001",
            self.user
        )
    }

    async fn register(&mut self) {
        let uri = format!("sip:{}", self.server);
        let me = Dialog {
            call_id: "register".into(),
            ours: "r".into(),
            theirs: String::new(),
            peer: format!("sip:{}@{}", self.user, self.server),
        };
        let answer = self.proved("REGISTER", &uri, &me, "Expires: 600\r\n", "").await;
        assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
    }

    /// A call of ours that is answered.
    async fn dial(&mut self, number: &str) -> Dialog {
        let uri = format!("sip:{number}@{}", self.server);
        let call_id = format!("call-{}-{}", self.number, self.at);
        let mut dialog = Dialog { call_id, ours: "desk".into(), theirs: String::new(), peer: uri.clone() };
        let sdp = "Content-Type: application/sdp\r\n";
        let answer = self.proved("INVITE", &uri, &dialog, sdp, Self::sdp()).await;
        assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
        dialog.theirs = tag(field(&answer, "To"));
        self.send("ACK", &uri, &dialog, "", "").await;
        dialog
    }

    /// A call to us, answered.
    async fn answer(&mut self) -> Dialog {
        let invite = self.message(|m| m.starts_with("INVITE ")).await;
        self.respond(&invite, "200 OK", Self::sdp()).await;
        self.message(|m| m.starts_with("ACK ")).await;
        let from = field(&invite, "From");
        let peer = from.split('<').nth(1).unwrap().split('>').next().unwrap().to_owned();
        let call_id = field(&invite, "Call-ID").to_owned();
        Dialog { call_id, ours: "desk".into(), theirs: tag(from), peer }
    }

    async fn in_dialog(&mut self, method: &str, dialog: &Dialog, more: &str, body: &str) -> String {
        let uri = format!("sip:{}", self.server);
        self.send(method, &uri, dialog, more, body).await;
        self.final_answer().await
    }
}

#[test]
fn an_attended_transfer_joins_a_caller_with_the_agent_who_was_asked_first() {
    let mut house = House::open_with("", no_wrap_up);
    runtime().block_on(async {
        let mut desk = Desk::open(&house, "8001").await;
        desk.register().await;
        desk.dial("*81").await;
        desk.message(|m| m.starts_with("BYE ")).await;
        let mut caller = house.caller("13800138000", "95188", Voice::Tone(CALLER_HZ)).await;
        caller.press("0").await.unwrap();
        let with_caller = desk.answer().await;
        // On the second line: the hotline, a colleague.
        let mut colleague = house.agent("8002", Voice::Tone(OTHER_AGENT_HZ)).await;
        let consultation = desk.dial("95188").await;
        let key = desk.in_dialog("INFO", &consultation, "Content-Type: application/dtmf\r\n", "0").await;
        assert!(key.starts_with("SIP/2.0 200"), "{key}");
        rings(&mut colleague).await;
        answer(&mut colleague).await;
        let refer_to = format!(
            "Refer-To: <sip:8002@{}?Replaces={}%3Bto-tag%3D{}%3Bfrom-tag%3D{}>\r\n",
            house.sip, consultation.call_id, consultation.theirs, consultation.ours
        );
        // A tag that is wrong names no call of ours, and 8002 is busy with this one: nothing is lost.
        let wrong = with_caller.clone();
        let answer = desk.in_dialog("REFER", &Dialog { theirs: "x".into(), ..wrong }, &refer_to, "").await;
        assert!(answer.starts_with("SIP/2.0 481"), "{answer}");
        let answer = desk.in_dialog("REFER", &with_caller, &refer_to, "").await;
        assert!(answer.starts_with("SIP/2.0 202"), "{answer}");
        let told = desk.message(|m| m.starts_with("NOTIFY ") && m.contains("terminated")).await;
        assert!(told.trim_end().ends_with("SIP/2.0 200 OK"), "{told}");
        for dialog in [&with_caller, &consultation] {
            desk.message(|m| m.starts_with("BYE ") && field(m, "Call-ID") == dialog.call_id).await;
        }
        tokio::join!(
            only("the caller", &caller, &[OTHER_AGENT_HZ]),
            only("the colleague", &colleague, &[CALLER_HZ]),
        );
        caller.hang_up().await.unwrap();
        over(&mut caller).await;
        over(&mut colleague).await;
    });
    house.close();
}
