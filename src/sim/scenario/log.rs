//! Recorded call logs: CSV with the columns of the Anonymous Bank's. Who came when, what he wanted, how long he waited
//! before he hung up, how long he talked.
use std::ops::Range;
use std::time::Duration;

/// A call of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedCall {
    /// When, since the scenario's beginning.
    pub arrives: Duration,
    /// Which of the scenario's classes, by its place.
    pub class: usize,
    /// He hung up after waiting so long.
    pub gave_up: Option<Duration>,
    /// He talked so long.
    pub talked: Option<Duration>,
}

/// A mistake in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LogMistake {
    pub(super) span: Range<usize>,
    pub(super) message: String,
}

/// Mistakes told of one log: whoever reads a thousand reads none.
const MISTAKES_MAX: usize = 20;
/// Columns that there must be.
const COLUMNS: [&str; 6] =
    ["service", "menu_entered_s", "queue_joined_s", "queue_wait_s", "outcome", "talk_s"];

/// The calls that come from second `from_s` of the log on, for as long as `lasts`.
pub(super) fn read(
    text: &str,
    class: impl Fn(&str) -> Option<usize>,
    (from_s, lasts): (u64, Duration),
) -> (Vec<LoggedCall>, Vec<LogMistake>) {
    let mut lines = lines(text);
    let mut wrong = Vec::new();
    let Some((_, head)) = lines.next() else {
        return (Vec::new(), vec![LogMistake { span: 0..0, message: "the call log is empty".into() }]);
    };
    let head: Vec<&str> = head.split(',').map(str::trim).collect();
    let mut columns = [0; COLUMNS.len()];
    for (column, name) in columns.iter_mut().zip(COLUMNS) {
        if let Some(at) = head.iter().position(|h| *h == name) {
            *column = at;
        } else {
            let message = format!("the call log has no column `{name}`");
            wrong.push(LogMistake { span: 0..head.join(",").len(), message });
        }
    }
    let mut calls = Vec::new();
    if wrong.is_empty() {
        for (at, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
            match row(line, &columns, &class) {
                Ok(Some((arrives_s, call))) if arrives_s >= from_s => {
                    let arrives = Duration::from_secs(arrives_s - from_s);
                    if arrives < lasts {
                        calls.push(LoggedCall { arrives, ..call });
                    }
                }
                Ok(_) => {}
                Err((within, message)) if wrong.len() < MISTAKES_MAX => {
                    wrong.push(LogMistake { span: at + within.start..at + within.end, message });
                }
                Err(_) => break,
            }
        }
    }
    calls.sort_by_key(|c| c.arrives);
    (calls, wrong)
}

/// Lines with the byte at which they begin.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    text.split('\n').map(move |line| {
        let begins = at;
        at += line.len() + 1;
        (begins, line.trim_end_matches('\r'))
    })
}

type Row = Option<(u64, LoggedCall)>;

fn row(
    line: &str,
    columns: &[usize; COLUMNS.len()],
    class: &impl Fn(&str) -> Option<usize>,
) -> Result<Row, (Range<usize>, String)> {
    let [service, entered, joined, wait, outcome, talk] = columns.map(|at| cell(line, at));
    let whole = || (0..line.len(), "this row has too few columns".to_owned());
    let (service, entered, joined) =
        (service.ok_or_else(whole)?, entered.ok_or_else(whole)?, joined.ok_or_else(whole)?);
    let (wait, outcome, talk) =
        (wait.ok_or_else(whole)?, outcome.ok_or_else(whole)?, talk.ok_or_else(whole)?);
    if outcome.1 == "PHANTOM" {
        return Ok(None);
    }
    let Some(class) = class(service.1) else {
        return Err((service.0, format!("no class of callers is meant by the service `{}`", service.1)));
    };
    let (entered, joined) = (seconds(entered)?, seconds(joined)?);
    let (wait, talk) = (seconds(wait)?, seconds(talk)?);
    let Some(arrives) = entered.or(joined) else {
        return Err((0..line.len(), "nobody knows when this call came".to_owned()));
    };
    let gave_up = (outcome.1 != "AGENT").then(|| Duration::from_secs(wait.unwrap_or(0)));
    let talked = talk.map(Duration::from_secs);
    Ok(Some((arrives, LoggedCall { arrives: Duration::ZERO, class, gave_up, talked })))
}

/// The text of a column, and where in the line it stands.
fn cell(line: &str, column: usize) -> Option<(Range<usize>, &str)> {
    let mut at = 0;
    for (n, text) in line.split(',').enumerate() {
        if n == column {
            return Some((at..at + text.len(), text.trim()));
        }
        at += text.len() + 1;
    }
    None
}

fn seconds((at, text): (Range<usize>, &str)) -> Result<Option<u64>, (Range<usize>, String)> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| (at, format!("`{text}` is not a number of seconds")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "call_id,service,menu_entered_s,queue_joined_s,queue_wait_s,outcome,talk_s\n";

    #[test]
    fn calls_come_in_the_order_of_time_and_phantoms_do_not() {
        let text = format!(
            "{HEAD}1,PS,100,110,20,AGENT,90\n2,PS,50,60,30,HANG,\n3,PS,55,,,PHANTOM,\n4,PS,10,,,HANG,\n"
        );
        let (calls, wrong) = read(&text, |_| Some(0), (40, Duration::from_secs(1_000)));
        let s = |s| Some(Duration::from_secs(s));
        let call =
            |at, gave_up, talked| LoggedCall { arrives: Duration::from_secs(at), class: 0, gave_up, talked };
        assert_eq!((calls, wrong), (vec![call(10, s(30), None), call(60, None, s(90))], vec![]));
    }

    #[test]
    fn each_mistake_is_told_at_its_cell() {
        let text = format!("{HEAD}1,PS,x,110,20,AGENT,90\n2,ZZ,50,60,30,HANG,\n3,PS\n");
        let (_, wrong) = read(&text, |s| (s == "PS").then_some(0), (0, Duration::from_secs(1_000)));
        let told: Vec<_> = wrong.iter().map(|w| (&text[w.span.clone()], w.message.as_str())).collect();
        let wanted = [
            ("x", "`x` is not a number of seconds"),
            ("ZZ", "no class of callers is meant by the service `ZZ`"),
            ("3,PS", "this row has too few columns"),
        ];
        assert_eq!(told, wanted);
    }
}
