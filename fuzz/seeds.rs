//! Writes the seeds of each target into its corpus, where the fuzzer begins.
#[path = "targets.rs"]
#[allow(dead_code)]
mod targets;

fn main() -> std::io::Result<()> {
    for (name, _) in targets::TARGETS {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
        std::fs::create_dir_all(&folder)?;
        for (n, seed) in targets::seeds(name).iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{n:03}")), seed)?;
        }
    }
    Ok(())
}
