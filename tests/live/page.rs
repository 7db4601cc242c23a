//! The status page in a real browser (Debian's `chromium`), while calls are in menu, queue and talk.
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hotline::replay::{Phone, PhoneEvent, PhoneSettings, Voice};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::house::{House, SOON, runtime, scratch};
use crate::web::{get, until};

/// A browser that has not ended by then is killed, and the test fails.
const BROWSER: Duration = Duration::from_secs(90);
const HOSTILE: &str = "<script>alert(1)</script><img src=x onerror=alert(2)>";

/// A browser process with its children; gone when this is.
pub(crate) struct Browser(Child);

impl Browser {
    pub(crate) fn start(profile: &Path, output: &Path, url: &str, task: &[&str]) -> Self {
        let child = Command::new("chromium")
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .args(["--disable-extensions", "--disable-dev-shm-usage", "--virtual-time-budget=4000"])
            .arg(format!("--user-data-dir={}", profile.display()))
            .args(task)
            .arg(url)
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(output).unwrap())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap_or_else(|e| panic!("chromium cannot be started ({e}); `cargo xtask test` installs it"));
        Self(child)
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self) {
        let end = tokio::time::Instant::now() + BROWSER;
        while self.0.try_wait().unwrap().is_none() {
            assert!(tokio::time::Instant::now() < end, "the browser has not ended within {BROWSER:?}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let group = Pid::from_raw(self.0.id().cast_signed());
        // What has ended already cannot be killed again.
        killpg(group, Signal::SIGKILL).ok();
        self.0.wait().ok();
    }
}

/// The text of every cell of a table's body, row by row, as the browser serialised it.
pub(crate) fn rows(dom: &str, table: &str) -> Vec<Vec<String>> {
    let begin = dom.find(&format!("<tbody id=\"{table}\">")).unwrap_or_else(|| panic!("no {table} in {dom}"));
    let body = dom[begin..].split("</tbody>").next().unwrap();
    let cells = |row: &str| -> Vec<String> {
        row.split("<td")
            .skip(1)
            .map(|c| c.split_once('>').unwrap().1.split("</td>").next().unwrap().to_owned())
            .collect()
    };
    body.split("<tr").skip(1).map(cells).collect()
}

#[test]
fn the_page_shows_calls_in_menu_queue_and_talk_and_no_name_is_markup() {
    // Whoever chooses may think for as long as a browser needs to start.
    let house = House::open_with("", |menus| {
        let main = menus.join("main.toml");
        let text = std::fs::read_to_string(&main).unwrap();
        std::fs::write(main, format!("wait = \"60s\"\n{text}")).unwrap();
    });
    let url = format!("http://{}/", house.http);
    let folder = scratch();
    let dom = runtime().block_on(async {
        let mut agent = house.agent("8001", Voice::Silence).await;
        let talking = house.caller("13800138001", "95188", Voice::Silence).await;
        talking.press("0").await.unwrap();
        agent.wait("a ring", SOON, |e| matches!(e, PhoneEvent::Rings(_))).await.unwrap();
        agent.answer().await.unwrap();
        agent.wait("the call", SOON, |e| *e == PhoneEvent::Up).await.unwrap();
        let mut hostile = PhoneSettings::new("13800138002", house.sip);
        hostile.display = HOSTILE.to_owned();
        let mut waiting = Phone::start(hostile).await.unwrap();
        waiting.dial("95188").await.unwrap();
        waiting.wait("the answer", SOON, |e| *e == PhoneEvent::Up).await.unwrap();
        waiting.press("0").await.unwrap();
        until("a telling to the waiting caller", || {
            let queues = get(house.http, "/api/v1/status").json()["board"]["acd"]["queues"].clone();
            let general = queues.as_array()?.iter().find(|q| q["queue"] == "general")?.clone();
            (!general["waiting"][0]["told"].is_null()).then_some(())
        })
        .await;
        let choosing = house.caller("王小明", "95188", Voice::Silence).await;
        let mut browser = Browser::start(&folder.join("profile"), &folder.join("dom"), &url, &["--dump-dom"]);
        browser.ended().await;
        drop(browser);
        if let Some(shots) = std::env::var_os("HOTLINE_SCREENSHOTS").map(std::path::PathBuf::from) {
            for (name, scheme) in [("light", 1), ("dark", 0)] {
                let shot = format!("--screenshot={}/page-{name}.png", shots.display());
                let scheme = format!("--blink-settings=preferredColorScheme={scheme}");
                let task = [shot.as_str(), scheme.as_str(), "--window-size=1440,1000"];
                let mut browser = Browser::start(&folder.join(name), &folder.join("shot"), &url, &task);
                browser.ended().await;
            }
        }
        for phone in [&talking, &waiting, &choosing] {
            phone.hang_up().await.unwrap();
        }
        agent.wait("the end", SOON, |e| matches!(e, PhoneEvent::Over(_))).await.unwrap();
        std::fs::read_to_string(folder.join("dom")).unwrap()
    });
    std::fs::remove_dir_all(&folder).unwrap();

    assert!(dom.contains(">live<"), "the page found no server: {dom}");
    let with = |table: &str, text: &str| {
        let found = rows(&dom, table).into_iter().find(|row| row.iter().any(|cell| cell.contains(text)));
        found.unwrap_or_else(|| panic!("no row with {text} in {table}: {:?}", rows(&dom, table)))
    };
    assert_eq!(with("queues", "general")[1], "1", "one waits");
    let waiting = with("waiting", "general");
    assert!(
        waiting.iter().any(|cell| cell.contains("min") || cell == "cannot say"),
        "what he was told: {waiting:?}"
    );
    let agent = with("agents", "8001");
    assert!(agent.contains(&"talking".to_owned()) && agent.contains(&"registered".to_owned()), "{agent:?}");
    assert!(with("calls", "13800138001").contains(&"talking".to_owned()));
    assert!(with("calls", "王小明").contains(&"menu".to_owned()));
    assert!(with("calls", "13800138002").contains(&"waiting".to_owned()));

    // The name is text: it made no element of its own, and nothing ran.
    assert!(
        with("calls", "13800138002")
            .iter()
            .any(|cell| cell.contains("&lt;script&gt;alert(1)&lt;/script&gt;"))
    );
    assert_eq!(dom.matches("<script").count(), 1, "{dom}");
    assert!(!dom.contains("<img"), "{dom}");
}

/// What a browser makes of a report in a file, one that stands on its own: its DOM. Its picture is of no empty page, and is kept where
/// `HOTLINE_SCREENSHOTS` says.
pub(crate) fn drawn(html: &Path, height: u32) -> String {
    let (url, folder) = (format!("file://{}", html.display()), html.parent().unwrap());
    let shot = html.with_extension("png");
    let dom = runtime().block_on(async {
        let mut browser = Browser::start(&folder.join("profile"), &folder.join("dom"), &url, &["--dump-dom"]);
        browser.ended().await;
        let task = [format!("--screenshot={}", shot.display()), format!("--window-size=1200,{height}")];
        let task: Vec<&str> = task.iter().map(String::as_str).collect();
        let mut browser = Browser::start(&folder.join("shots"), &folder.join("out"), &url, &task);
        browser.ended().await;
        std::fs::read_to_string(folder.join("dom")).unwrap()
    });
    let bytes = std::fs::read(&shot).unwrap();
    assert_eq!(&bytes[..8], b"\x89PNG\r\n\x1a\n");
    // An empty page of this size takes a few kilobytes.
    assert!(bytes.len() > 60_000, "{} bytes", bytes.len());
    if let Some(shots) = std::env::var_os("HOTLINE_SCREENSHOTS") {
        std::fs::copy(&shot, Path::new(&shots).join(shot.file_name().unwrap())).unwrap();
    }
    dom
}

/// A picture of a report, which has one.
pub(crate) fn figure<'a>(dom: &'a str, picture: &str) -> &'a str {
    let figure = dom.split(&format!("<figure id=\"{picture}\">")).nth(1);
    let figure = figure.and_then(|f| f.split("</figure>").next()).unwrap_or_else(|| panic!("no {picture}"));
    assert!(figure.contains("<svg"), "{picture}");
    figure
}
