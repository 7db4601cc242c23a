//! A call log as text: one call a row, columns by name. Bad rows are counted and said, not fatal.
//!
//! | column | unit | meaning |
//! |---|---|---|
//! | `priority` | | 2: served as if he had joined 90 s earlier; any other or no such column: regular |
//! | `service` | | what he needs; no such column: all the same |
//! | `queue_joined_s`, `queue_left_s` | s | the wait; empty: he did not wait |
//! | `outcome` | | `AGENT` served, `HANG` hung up, anything else is left out |
//! | `service_started_s`, `service_ended_s` | s | the talk; empty unless served |
//! | `agent` | | who served |
use std::collections::BTreeMap;
use std::fmt;

/// Bad rows described at most; all are counted.
const DESCRIBED: usize = 20;
/// Longest time in the log, in seconds: ten years.
const LONGEST_S: f64 = 315_360_000.0;

/// One call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Call {
    /// Whether he is served as if he had joined 90 s earlier.
    pub urgent: bool,
    /// What he needs, as a number.
    pub service: usize,
    /// When he joined the line and left it, if he waited.
    pub waited: Option<(f64, f64)>,
    /// Whether he was served.
    pub served: bool,
    /// Not judged and in no line of those judged: only his talk counts, since it keeps an agent busy.
    pub aside: bool,
    /// When the talk began and ended, and with whom, as a number.
    pub talk: Option<(f64, f64, usize)>,
}

/// A log.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallLog {
    /// Calls in the order of the rows.
    pub calls: Vec<Call>,
    /// Names of services, by number.
    pub services: Vec<String>,
    /// How many agents there are.
    pub agents: usize,
    /// Rows left out because of their outcome or service.
    pub left_out: usize,
    /// How many rows were bad.
    pub bad: usize,
    /// What was wrong with the first of them.
    pub described: Vec<BadRow>,
}

/// What was wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRow {
    /// Line of the file, from 1.
    pub line: usize,
    /// Column.
    pub column: String,
    /// What is there.
    pub found: String,
    /// What should be.
    pub wanted: &'static str,
}

impl fmt::Display for BadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {:?} is not {}", self.line, self.column, self.found, self.wanted)
    }
}

/// Why a file is no call log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// It is empty.
    #[error("the file is empty: its first line must name the columns")]
    Empty,
    /// A column is missing.
    #[error("line 1: there is no column {0}; the file has: {1}")]
    NoColumn(&'static str, String),
    /// No row can be used.
    #[error("none of {0} rows can be used{1}")]
    NoCalls(usize, String),
}

#[derive(Clone, Copy)]
struct Columns {
    priority: Option<usize>,
    service: Option<usize>,
    joined: usize,
    left: usize,
    outcome: usize,
    started: usize,
    ended: usize,
    agent: usize,
}

impl Columns {
    fn of(names: &[String]) -> Result<Self, LogError> {
        let find = |name: &str| names.iter().position(|n| n.trim().eq_ignore_ascii_case(name));
        let need = |name: &'static str| find(name).ok_or_else(|| LogError::NoColumn(name, names.join(", ")));
        Ok(Self {
            priority: find("priority"),
            service: find("service"),
            joined: need("queue_joined_s")?,
            left: need("queue_left_s")?,
            outcome: need("outcome")?,
            started: need("service_started_s")?,
            ended: need("service_ended_s")?,
            agent: need("agent")?,
        })
    }
}

/// Names as numbers, in the order in which they came.
#[derive(Default)]
struct Numbers(BTreeMap<String, usize>);

impl Numbers {
    fn of(&mut self, name: &str) -> usize {
        let next = self.0.len();
        *self.0.entry(name.to_owned()).or_insert(next)
    }
    fn names(self) -> Vec<String> {
        let mut all: Vec<(usize, String)> = self.0.into_iter().map(|(name, n)| (n, name)).collect();
        all.sort_unstable();
        all.into_iter().map(|(_, name)| name).collect()
    }
}

impl CallLog {
    /// Reads a log. Calls of the services in `without` are set aside.
    pub fn read(text: &str, without: &[String]) -> Result<Self, LogError> {
        let mut lines = text.strip_prefix('\u{feff}').unwrap_or(text).lines();
        let names = fields(lines.next().filter(|l| !l.trim().is_empty()).ok_or(LogError::Empty)?);
        let columns = Columns::of(&names)?;
        let (mut log, mut services, mut agents) = (Self::default(), Numbers::default(), Numbers::default());
        let mut rows = 0;
        for (line, text) in lines.enumerate().filter(|(_, text)| !text.trim().is_empty()) {
            rows += 1;
            let row = Row { line: line + 2, fields: fields(text), names: &names };
            match row.call(&columns, without, &mut services, &mut agents) {
                Ok(Some(call)) => log.calls.push(call),
                Ok(None) => log.left_out += 1,
                Err(bad) => {
                    log.bad += 1;
                    if log.described.len() < DESCRIBED {
                        log.described.push(bad);
                    }
                }
            }
        }
        if log.calls.iter().all(|call| call.aside) {
            let why = log.described.first().map(|bad| format!("; {bad}")).unwrap_or_default();
            return Err(LogError::NoCalls(rows, why));
        }
        (log.services, log.agents) = (services.names(), agents.0.len());
        Ok(log)
    }
}

struct Row<'n> {
    line: usize,
    fields: Vec<String>,
    names: &'n [String],
}

impl Row<'_> {
    fn at(&self, column: usize) -> &str {
        self.fields.get(column).map_or("", |f| f.trim())
    }
    fn bad(&self, column: usize, wanted: &'static str) -> BadRow {
        let name = self.names.get(column).cloned().unwrap_or_default();
        BadRow { line: self.line, column: name, found: self.at(column).to_owned(), wanted }
    }
    fn time(&self, column: usize) -> Result<Option<f64>, BadRow> {
        let text = self.at(column);
        if text.is_empty() {
            return Ok(None);
        }
        let number = text.parse::<f64>().ok().filter(|n| n.is_finite() && n.abs() < LONGEST_S);
        number.map(Some).ok_or_else(|| self.bad(column, "a time in seconds"))
    }
    fn call(
        &self,
        columns: &Columns,
        without: &[String],
        services: &mut Numbers,
        agents: &mut Numbers,
    ) -> Result<Option<Call>, BadRow> {
        let served = match self.at(columns.outcome).to_ascii_uppercase().as_str() {
            "AGENT" => true,
            "HANG" => false,
            "" => return Err(self.bad(columns.outcome, "an outcome")),
            _ => return Ok(None),
        };
        let service = columns.service.map_or("", |c| self.at(c));
        let aside = without.iter().any(|w| w == service);
        let waited = match (self.time(columns.joined)?, self.time(columns.left)?) {
            (Some(joined), Some(left)) => Some((joined, left.max(joined))),
            (Some(_), None) => return Err(self.bad(columns.left, "the time at which he left the line")),
            (None, _) => None,
        };
        let talk = match (self.time(columns.started)?, self.time(columns.ended)?) {
            (Some(started), Some(ended)) if served => {
                let began = waited.map_or(started, |(_, left)| started.max(left));
                Some((began, ended.max(began), agents.of(self.at(columns.agent))))
            }
            _ => None,
        };
        let urgent = columns.priority.is_some_and(|c| self.at(c) == "2");
        Ok(Some(Call { urgent, service: services.of(service), waited, served, aside, talk }))
    }
}

/// The fields of a line; a field may stand in quotation marks, doubled within.
fn fields(line: &str) -> Vec<String> {
    let (mut all, mut field, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => all.push(std::mem::take(&mut field)),
            '\r' => {}
            c => field.push(c),
        }
    }
    all.push(field);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str =
        "outcome,agent,service,queue_joined_s,queue_left_s,service_started_s,service_ended_s,priority\n";

    #[test]
    fn columns_are_found_by_name_in_any_order_and_rows_may_be_quoted() {
        let text = format!(
            "\u{feff}{HEAD}AGENT,\"A, \"\"x\"\"\",PS,10,25,25,100,2\r\nHANG,,PS,11,30,,,0\nPHANTOM,,PS,1,2,,,0\n"
        );
        let log = CallLog::read(&text, &[]).unwrap();
        let first = Call {
            urgent: true,
            service: 0,
            waited: Some((10.0, 25.0)),
            served: true,
            aside: false,
            talk: Some((25.0, 100.0, 0)),
        };
        assert_eq!(log.calls[0], first);
        assert_eq!((log.calls.len(), log.left_out, log.bad, log.agents), (2, 1, 0, 1));
    }

    #[test]
    fn bad_rows_are_said_with_line_and_column_and_do_not_stop_the_rest() {
        let text = format!(
            "{HEAD}AGENT,A,PS,ten,25,25,100,2\nAGENT,A,PS,10,,25,100,2\n,A,PS,1,2,3,4,0\nHANG,,PS,11,30,,,0\n"
        );
        let log = CallLog::read(&text, &[]).unwrap();
        assert_eq!((log.calls.len(), log.bad), (1, 3));
        let said: Vec<String> = log.described.iter().map(ToString::to_string).collect();
        assert_eq!(said[0], "line 2, column queue_joined_s: \"ten\" is not a time in seconds");
        assert!(said[1].starts_with("line 3, column queue_left_s"), "{said:?}");
        assert!(said[2].starts_with("line 4, column outcome"), "{said:?}");
    }

    #[test]
    fn clocks_that_run_back_are_set_right() {
        let log = CallLog::read(&format!("{HEAD}AGENT,A,PS,10,8,5,4,0\n"), &[]).unwrap();
        assert_eq!((log.calls[0].waited, log.calls[0].talk), (Some((10.0, 10.0)), Some((10.0, 10.0, 0))));
    }

    #[test]
    fn what_is_no_log_is_said() {
        assert_eq!(CallLog::read("", &[]), Err(LogError::Empty));
        let wrong = CallLog::read("a,b\n1,2\n", &[]).unwrap_err().to_string();
        assert!(wrong.contains("queue_joined_s") && wrong.contains("a, b"), "{wrong}");
        assert!(matches!(CallLog::read(HEAD, &[]), Err(LogError::NoCalls(0, _))));
        let without = CallLog::read(&format!("{HEAD}HANG,,IN,1,2,,,0\n"), &["IN".to_owned()]);
        assert!(matches!(without, Err(LogError::NoCalls(1, _))));
    }
}
