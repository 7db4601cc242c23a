//! The street door: one binary, `hotline`.
mod cli;

fn main() -> std::process::ExitCode {
    cli::run()
}
