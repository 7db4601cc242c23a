//! The street door: one binary, `hotline`.
mod cli;

/// A call makes and frees some hundred small things on the control thread: docs/performance.md, "new calls".
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cli::run()
}
