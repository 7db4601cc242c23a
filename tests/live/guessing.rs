//! Strangers who guess passwords, leave calls half open, or use us as an amplifier: from addresses of loopback that are
//! not ours (127.0.2.x), so that honest phones at 127.0.0.1 are others.
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use hotline::replay::{Phone, PhoneEvent, PhoneSettings, Voice};

use crate::house::{House, SOON, runtime};
use crate::web::get;

fn socket(at: &str) -> UdpSocket {
    let socket = UdpSocket::bind((at, 0)).unwrap();
    socket.set_read_timeout(Some(SOON)).unwrap();
    socket
}

/// Sends a request and reads its final answer.
fn ask(socket: &UdpSocket, server: SocketAddr, request: &str) -> String {
    socket.send_to(request.as_bytes(), server).unwrap();
    answer(socket)
}

fn answer(socket: &UdpSocket) -> String {
    let mut buffer = vec![0; 65_535];
    loop {
        let length = socket.recv(&mut buffer).unwrap();
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if !text.starts_with("SIP/2.0 1") {
            return text;
        }
    }
}

fn request(method: &str, socket: &UdpSocket, (user, n): (&str, usize), more: &str) -> String {
    let at = socket.local_addr().unwrap();
    format!(
        "{method} sip:{user}@hotline SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch=z9hG4bK-{user}-{n};rport\r\nMax-Forwards: 70\r\n\
         To: <sip:{user}@hotline>\r\nFrom: <sip:{user}@hotline>;tag=t{n}\r\nCall-ID: {user}-{n}@guess\r\nCSeq: {n} {method}\r\n\
         Contact: <sip:{user}@{at}>\r\n{more}Content-Length: 0\r\n\r\n"
    )
}

/// Tries a password; the status of the answer.
fn guess(socket: &UdpSocket, server: SocketAddr, user: &str, n: usize) -> String {
    let challenge = ask(socket, server, &request("REGISTER", socket, (user, 2 * n + 1), ""));
    let nonce =
        challenge.split("nonce=\"").nth(1).and_then(|r| r.split('"').next()).expect("a challenge").to_owned();
    let digest = format!(
        "Authorization: Digest username=\"{user}\", realm=\"hotline\", nonce=\"{nonce}\", uri=\"sip:{user}@hotline\", \
         response=\"{n:032x}\", algorithm=MD5, cnonce=\"c\", nc=00000001, qop=auth\r\n"
    );
    ask(socket, server, &request("REGISTER", socket, (user, 2 * n + 2), &digest))
}

/// The same answer but for what is random in it.
fn shape(answer: &str) -> Vec<String> {
    let word = |line: &str| line.split([':', ' ']).next().unwrap_or_default().to_owned();
    answer
        .lines()
        .map(|line| if line.starts_with("SIP/2.0") { line.to_owned() } else { word(line) })
        .collect()
}

#[test]
fn who_guesses_passwords_is_shut_out_even_after_a_restart_and_nobody_else_is() {
    let mut house = House::open("");
    let guesser = socket("127.0.2.1");
    let (known, unknown) = (guess(&guesser, house.sip, "8001", 0), guess(&guesser, house.sip, "9999", 1));
    assert_eq!(shape(&known), shape(&unknown), "a user is known by nothing");
    for n in 2..20 {
        guess(&guesser, house.sip, "8001", n);
    }
    // Not a word any more: what it asks is followed by an honest question, whose answer comes alone.
    let options = |socket: &UdpSocket, n| request("OPTIONS", socket, ("ping", n), "");
    guesser.send_to(options(&guesser, 1).as_bytes(), house.sip).unwrap();
    let honest = socket("127.0.2.2");
    assert!(ask(&honest, house.sip, &options(&honest, 2)).starts_with("SIP/2.0 200"));
    guesser.set_nonblocking(true).unwrap();
    assert!(guesser.recv(&mut [0; 100]).is_err(), "shut out");
    let listed = get(house.http, "/api/v1/status").json();
    assert_eq!(listed["shut_out"][0]["address"], "127.0.2.1", "{listed}");
    // Agents elsewhere are as they were.
    runtime().block_on(house.agent("8001", Voice::Silence));
    house.restart();
    guesser.send_to(options(&guesser, 3).as_bytes(), house.sip).unwrap();
    let honest = socket("127.0.2.3");
    assert!(ask(&honest, house.sip, &options(&honest, 4)).starts_with("SIP/2.0 200"));
    assert!(guesser.recv(&mut [0; 100]).is_err(), "still shut out");
}

#[test]
fn an_address_is_heard_again_when_its_time_is_over() {
    let house = House::open("[guard]\nwrong_passwords = 3\nshut_out = \"1s\"\n");
    let guesser = socket("127.0.2.4");
    for n in 0..3 {
        guess(&guesser, house.sip, "8001", n);
    }
    guesser.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let end = std::time::Instant::now() + SOON;
    let mut n = 0;
    loop {
        n += 1;
        assert!(std::time::Instant::now() < end, "never heard again");
        guesser.send_to(request("OPTIONS", &guesser, ("ping", n), "").as_bytes(), house.sip).unwrap();
        if guesser.recv(&mut [0; 2_000]).is_ok() {
            break;
        }
    }
    assert!(n > 1, "was shut out for a while");
}

#[test]
fn calls_left_half_open_by_one_address_are_bounded_and_take_nothing_from_others() {
    const BOUND: usize = 40;
    let house = House::open(&format!("[guard]\nhalf_open = {BOUND}\n"));
    let flood = socket("127.0.2.5");
    let sdp = "v=0\r\no=- 1 1 IN IP4 127.0.2.5\r\ns=-\r\nc=IN IP4 127.0.2.5\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8\r\n";
    let mut statuses = std::collections::BTreeMap::<String, usize>::new();
    for n in 1..=400 {
        let head = request("INVITE", &flood, ("95188", n), "Content-Type: application/sdp\r\n");
        let from = head.replace("From: <sip:95188@hotline>", "From: <sip:flood@example.com>");
        let invite =
            from.replace("Content-Length: 0\r\n\r\n", &format!("Content-Length: {}\r\n\r\n{sdp}", sdp.len()));
        flood.send_to(invite.as_bytes(), house.sip).unwrap();
        // Copies of earlier 200s come between.
        loop {
            let text = answer(&flood);
            if text.contains(&format!("Call-ID: 95188-{n}@guess")) {
                *statuses.entry(text[8..11].to_owned()).or_default() += 1;
                break;
            }
        }
    }
    assert_eq!(statuses.get("200"), Some(&BOUND), "{statuses:?}");
    assert_eq!(statuses.get("503"), Some(&(400 - BOUND)), "{statuses:?}");
    runtime().block_on(async {
        let mut phone = Phone::start(PhoneSettings::new("13900000001", house.sip)).await.unwrap();
        phone.dial("95188").await.unwrap();
        phone.wait("the answer in the flood", SOON, |e| *e == PhoneEvent::Up).await.unwrap();
    });
}

#[test]
fn a_short_question_gets_no_long_answer() {
    let house = House::open("");
    let asker = socket("127.0.2.6");
    let at = asker.local_addr().unwrap();
    for (n, method) in ["OPTIONS", "REGISTER", "INVITE", "SUBSCRIBE", "MESSAGE", "BYE", "REFER", "NONSENSE"]
        .iter()
        .enumerate()
    {
        let short = format!(
            "{method} sip:nobody@h SIP/2.0\r\nv: SIP/2.0/UDP {at};branch=z9hG4bK{n}{method};rport\r\nt: <sip:a@h>\r\n\
             f: <sip:b@h>;tag={n}\r\ni: {n}{method}\r\nCSeq: 1 {method}\r\n\r\n"
        );
        asker.send_to(short.as_bytes(), house.sip).unwrap();
        let mut said = 0;
        let mut buffer = vec![0; 65_535];
        // Everything said unasked until the INVITE's transaction has given up, or the answer of any other.
        asker
            .set_read_timeout(Some(Duration::from_millis(if *method == "INVITE" { 6_000 } else { 300 })))
            .unwrap();
        while let Ok(length) = asker.recv(&mut buffer) {
            said += length;
        }
        assert!(said > 0, "{method}");
        assert!(said <= 4 * short.len(), "{method}: {said} octets for {}", short.len());
    }
}

/// The median time to the answer of a wrong password, of a user who is known and of one who is not, asked by turns.
fn medians(asker: &UdpSocket, server: SocketAddr, round: usize) -> [Duration; 2] {
    const ASKED: usize = 150;
    let mut took = [Vec::new(), Vec::new()];
    for n in 0..ASKED {
        for (user, took) in ["8001", "9999"].iter().zip(&mut took) {
            let begun = std::time::Instant::now();
            let refusal = guess(asker, server, user, round * ASKED + n);
            took.push(begun.elapsed());
            assert!(refusal.starts_with("SIP/2.0 4"), "{refusal}");
        }
    }
    took.map(|mut took| {
        took.sort_unstable();
        took[ASKED / 2]
    })
}

#[test]
fn the_time_of_an_answer_tells_nobody_whether_a_user_is_known() {
    let house = House::open("[guard]\nwrong_passwords = 100000\n");
    let asker = socket("127.0.2.7");
    // The machine may do something else in one round, hardly in all of five.
    let within = |[known, unknown]: [Duration; 2]| {
        let (less, more) = (known.min(unknown), known.max(unknown));
        more.as_secs_f64() <= less.as_secs_f64() * 1.2
    };
    let rounds: Vec<_> = (0..5).map(|round| medians(&asker, house.sip, round)).collect();
    assert!(rounds.iter().any(|round| within(*round)), "{rounds:?}");
}
