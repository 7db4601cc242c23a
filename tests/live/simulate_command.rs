//! `hotline simulate` as ops run it: what it prints, its exit status, and its report in a real browser.
use std::process::{Command, Output};

use crate::house::scratch;
use crate::page::{drawn, figure, rows};

fn simulate(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hotline")).arg("simulate").args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_day_is_summed_up_and_is_the_same_in_another_process() {
    let (one, two) = (simulate(&["quiet-night", "--json"]), simulate(&["quiet-night", "--json"]));
    assert!(one.status.success(), "{}", String::from_utf8_lossy(&one.stderr));
    assert_eq!(said(&one), said(&two));
    let report: serde_json::Value = serde_json::from_str(&said(&one)).unwrap();
    assert_eq!(report["machine"]["broken"], 0);
    assert_eq!(report["half_hours"].as_array().unwrap().len(), 18);
    let text = said(&simulate(&["quiet-night"]));
    assert!(text.starts_with("A quiet night\n") && text.contains("service level"), "{text}");
    assert!(text.contains(report["machine"]["hash"].as_str().unwrap()), "{text}");
}

#[test]
fn two_plans_stand_side_by_side_with_intervals() {
    let output = simulate(&["quiet-night", "--set", "agents.night.count=1", "--seeds", "3"]);
    let text = said(&output);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("changed: agents.night.count=1; 3 days of each, 95 % intervals"), "{text}");
    for figure in
        ["service level", "mean wait", "nine of ten waited less than", "not answered", "agents busy"]
    {
        let line = text.lines().find(|l| l.trim_start().starts_with(figure)).unwrap();
        assert_eq!(line.matches('±').count(), 3, "{line}");
    }
}

#[test]
fn mistakes_are_shown_with_their_lines_and_nothing_is_simulated() {
    let output = simulate(&["quiet-night", "--set", "agents.nihgt.count=1"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2));
    assert!(text.contains("HL0804") && text.contains("agents.nihgt.count=1"), "{text}");
    let unknown = simulate(&["no-such-day"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("shipped are: double-eleven, ordinary-day"));
}

#[test]
fn the_report_is_one_file_that_a_browser_draws_without_a_script() {
    let folder = scratch();
    let html = folder.join("day.html");
    let output = simulate(&[
        "staff-drop",
        "--set",
        "agents.account.count=30",
        "--seeds",
        "2",
        "--html",
        html.to_str().unwrap(),
    ]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = std::fs::read_to_string(&html).unwrap();
    assert!(!text.contains("<script") && !text.contains("http://") && !text.contains("https://"));
    let dom = drawn(&html, 3_600);
    let compared = rows(&dom, "compared");
    assert!(compared.len() >= 5 && compared[0][0] == "service level", "{compared:?}");
    assert!(rows(&dom, "queues").iter().any(|row| row[0] == "account"), "{:?}", rows(&dom, "queues"));
    for picture in ["waits", "service-level", "staffing", "abandonment", "told-true", "keys"] {
        let figure = figure(&dom, picture);
        let drawn = figure.matches("<path").count()
            + figure.matches("<rect").count()
            + figure.matches("<line").count();
        assert!(drawn > 6, "{picture}: {drawn} marks");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_deep_run_writes_a_capture_that_wiresharks_tools_read() {
    let folder = scratch();
    let pcap = folder.join("day.pcap");
    let scenario = folder.join("short.toml");
    std::fs::write(&scenario, SHORT).unwrap();
    let output =
        simulate(&[scenario.to_str().unwrap(), "--deep", "--calls", "3", "--pcap", pcap.to_str().unwrap()]);
    let text = said(&output);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("broken invariants: 0"), "{text}");
    let shark = |filter: &str| {
        let output = Command::new("tshark")
            .args(["-o", "udp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-r"])
            .arg(&pcap)
            .args(["-Y", filter, "-T", "fields", "-e", "frame.number", "-d", "udp.port==30000,rtp"])
            .output()
            .unwrap_or_else(|e| panic!("tshark cannot be started ({e}); `cargo xtask test` installs it"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        said(&output).lines().count()
    };
    assert!(shark("sip.Method == \"INVITE\"") >= 3);
    assert!(shark("sip.Status-Code == 200") >= 3);
    assert!(shark("rtp") > 200);
    assert!(shark("rtpevent") >= 3, "keys");
    let wrong = "_ws.malformed or ip.checksum.status == 0 or udp.checksum.status == 0";
    assert_eq!(shark(wrong), 0, "malformed packets or wrong checksums");
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Three callers within a minute.
const SHORT: &str = r#"
title  = "short"
begins = "2026-11-10T10:00+08:00"
lasts  = "2m"
[arrivals]
per_half_hour = [120]
[callers.all]
number   = "95188"
keys     = ["0"]
think    = "2s"
patience = "1m"
talk     = "5s"
[agents.all]
count   = 2
pick_up = "1s"
"#;
