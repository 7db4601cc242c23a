//! `cargo xtask bench`: runs the benches and compares their figures with their budgets.
//!
//! A bench prints a line for each figure: `bench NAME VALUE UNIT BUDGET VERDICT`, six words; the verdict is `ok` or
//! `over`. Other lines are passed through. The table says of each figure what part of its budget it takes.
use crate::run::{Result, cargo, output, root};

/// One figure of one bench.
#[derive(Debug, PartialEq, Eq)]
struct Figure {
    name: String,
    value: String,
    budget: String,
    ratio: String,
    verdict: String,
}

/// What part of its budget a figure takes; where nothing is allowed, or no number was given, none.
fn ratio(value: &str, budget: &str) -> String {
    match (value.parse::<f64>(), budget.parse::<f64>()) {
        (Ok(value), Ok(budget)) if budget > 0.0 && value.is_finite() => format!("{:.2}", value / budget),
        _ => "-".into(),
    }
}

/// Runs the benches named, or all; fails when a budget is exceeded or a bench gives no figure.
pub fn bench(names: &[String]) -> Result {
    let names = if names.is_empty() { all()? } else { names.to_vec() };
    let (mut figures, mut failed) = (Vec::new(), Vec::new());
    for name in &names {
        eprintln!("+ cargo bench --bench {name}");
        match output(cargo(&["bench", "--quiet", "--bench", name])) {
            Ok(text) => {
                let found = figures_of(&String::from_utf8_lossy(&text));
                if found.is_empty() {
                    failed.push(format!("{name} gave no figure"));
                }
                figures.extend(found);
            }
            Err(why) => failed.push(why),
        }
    }
    print!("{}", table(&figures));
    failed.extend(
        figures.iter().filter(|f| f.verdict != "ok").map(|f| format!("{} is over its budget", f.name)),
    );
    if failed.is_empty() { Ok(()) } else { Err(failed.join("; ")) }
}

/// The files of `benches/`, by name.
fn all() -> Result<Vec<String>> {
    let folder = root().join("benches");
    let entries = std::fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut names: Vec<String> = entries
        .filter_map(|entry| Some(entry.ok()?.file_name().to_str()?.strip_suffix(".rs")?.to_owned()))
        .collect();
    names.sort();
    Ok(names)
}

/// Finds the figures in what a bench printed; passes the rest through.
fn figures_of(text: &str) -> Vec<Figure> {
    let mut figures = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let ["bench", name, value, unit, budget, verdict] = words[..] {
            figures.push(Figure {
                name: name.into(),
                value: format!("{value} {unit}"),
                budget: budget.into(),
                ratio: ratio(value, budget),
                verdict: verdict.into(),
            });
        } else if !line.trim().is_empty() {
            eprintln!("  {line}");
        }
    }
    figures
}

/// Name, value, budget, ratio, verdict in columns.
fn table(figures: &[Figure]) -> String {
    let head = Figure {
        name: "name".into(),
        value: "value".into(),
        budget: "budget".into(),
        ratio: "of it".into(),
        verdict: "verdict".into(),
    };
    let widest = |column: fn(&Figure) -> &str| {
        figures.iter().chain([&head]).map(|f| column(f).chars().count()).max().unwrap_or(0)
    };
    let (name, value, budget) = (widest(|f| &f.name), widest(|f| &f.value), widest(|f| &f.budget));
    let row = |f: &Figure| {
        let (columns, ratio) = (format!("{:name$}  {:>value$}", f.name, f.value), &f.ratio);
        format!("{columns}  {:>budget$}  {ratio:>5}  {}\n", f.budget, f.verdict)
    };
    std::iter::once(&head).chain(figures).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_read_from_its_line_and_shown_in_columns() {
        let figures = figures_of(
            "running\nbench relay 1.2 x 1.5 ok\nbench mix_3 2.4 us 2 over\nbench lost 0 calls 0 ok\nbench short 1\n",
        );
        assert_eq!(figures.len(), 3);
        let expected = "\
name     value  budget  of it  verdict
relay    1.2 x     1.5   0.80  ok
mix_3   2.4 us       2   1.20  over
lost   0 calls       0      -  ok
";
        assert_eq!(table(&figures), expected);
    }
}
