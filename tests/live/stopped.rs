//! The process is stopped for five seconds (SIGSTOP), as by a frozen machine: nobody is taken for silent because we were
//! not there.
use std::time::Duration;

use hotline::replay::{Phone, PhoneEvent};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::binary::Home;
use crate::house::{SOON, runtime};
use crate::web::get;

/// Longer than the silence that ends a call in this test.
const STOPPED: Duration = Duration::from_secs(5);

#[test]
fn a_process_that_was_stopped_for_five_seconds_loses_no_call() {
    let home = Home::new();
    let file = home.folder.join("hotline.toml");
    let settings = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, settings + "[limits]\nsilence = \"2s\"\n").unwrap();
    let (server, _) = home.serve();
    let pid = Pid::from_raw(i32::try_from(server.id()).unwrap());
    runtime().block_on(async {
        let mut callers = Vec::new();
        for n in 0..3 {
            callers.push(home.caller(&format!("1390000000{n}")).await);
        }
        kill(pid, Signal::SIGSTOP).unwrap();
        tokio::time::sleep(STOPPED).await;
        kill(pid, Signal::SIGCONT).unwrap();
        for phone in &mut callers {
            hears_more(phone).await;
            let over = |e: &PhoneEvent| matches!(e, PhoneEvent::Over(_));
            let ended = phone.wait("nothing", Duration::from_secs(3), over).await;
            assert!(ended.is_err(), "hung up on: {ended:?}");
        }
        // What it says of itself.
        let metrics = get(home.http, "/metrics").body;
        let stopped = metrics.lines().find_map(|l| l.strip_prefix("hotline_stopped_milliseconds ")).unwrap();
        let stopped: f64 = stopped.parse().unwrap();
        assert!((4_000.0..30_000.0).contains(&stopped), "{stopped}");
        for phone in &mut callers {
            phone.hang_up().await.unwrap();
            phone.wait("the end", SOON, |e| matches!(e, PhoneEvent::Over(_))).await.unwrap();
        }
    });
}

/// Sound comes again.
async fn hears_more(phone: &Phone) {
    let before = phone.ear.figures().packets;
    let end = tokio::time::Instant::now() + SOON;
    while phone.ear.figures().packets < before + 10 {
        assert!(tokio::time::Instant::now() < end, "no sound after the stop");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
